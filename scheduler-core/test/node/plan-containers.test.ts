// Proves the next possible actions on the containers of a pod, situation by situation (rules 18, 66, 96 to 99).
import { actionKey, type CreateAction } from '@fleetset/scheduler-core/node/node-action';
import { HOLDER } from '@fleetset/scheduler-core/node/pod-record';
import { describe, expect, test } from 'vitest';
import { planOf, stepsOf } from './scenario.ts';

type Row = readonly [sentence: string, facts: string, ...steps: string[]];
const plans = (rows: readonly Row[]) =>
  test.each(rows.map((row) => [row[0], row] as const))('%s', (_sentence, [, facts, ...steps]) => {
    expect(stepsOf(planOf(facts))).toEqual(steps);
  });

describe('a pod on the host network', () => {
  plans([
    ['is born', 'grant r1', 'bear'],
    ['has its container made', 'grant r1 \n pod a r1', 'create a/main#0'],
    ['and started', 'grant r1 \n pod a r1 \n a/main#0 created', 'start a/main#0'],
    ['and then is left alone', 'grant r1 \n pod a r1 \n a/main#0 running'],
    [
      'its containers do not wait for one another',
      'grant two \n pod a two \n a/main#0 created',
      'start a/main#0',
      'create a/side#0',
    ],
    [
      'what is under way is not begun twice',
      'grant two \n pod a two \n a/main#0 created \n busy start a/main \n busy create a/side',
    ],
    [
      'without its template nothing is done to it',
      'grant r1 \n pod a r1 without template \n a/main#0 ended 1s ago',
    ],
  ]);
});

describe('a pod with a network of its own', () => {
  plans([
    ['begins with its holder', 'grant net \n pod a net', 'create a/@#0'],
    [
      'its containers are made on the holder, before that runs',
      'grant net \n pod a net \n a/@#0 created',
      'start a/@#0',
      'create a/main#0',
    ],
    ['but start after it', 'grant net \n pod a net \n a/@#0 created \n a/main#0 created \n busy start a/@'],
    ['when it runs', 'grant net \n pod a net \n a/@#0 running \n a/main#0 created', 'start a/main#0'],
    [
      'the holder ended: a new one, and what was on the old one stops',
      'grant net \n pod a net \n a/@#0 ended 0s ago \n a/main#0 running',
      'create a/@#1, next wait restart 1s',
      'stop a/main#0 in 30s',
    ],
    [
      'one that ends again and again: about at once, however often',
      'grant net \n pod a net \n a/@#7 ended 3s ago \n waited a/@ restart 10s since 14s ago',
      'again in 7s',
    ],
    [
      'and at once again when it has lasted',
      'grant net \n pod a net \n a/@#7 ended 0s ago \n waited a/@ restart 10s since 21s ago',
      'create a/@#8, next wait restart 1s',
    ],
    [
      'also when the holder vanished: the new one has another number',
      'grant net \n pod a net \n a/main#0 running',
      'create a/@#1',
      'stop a/main#0 in 30s',
    ],
    [
      'what ended waits for the new holder',
      'grant net \n pod a net \n a/@#0 ended 0s ago \n a/main#0 ended 0s ago \n busy create a/@',
    ],
    [
      'and is made on it',
      'grant net \n pod a net \n a/@#0 ended 9s ago \n a/@#1 created \n a/main#0 ended 0s ago',
      'start a/@#1',
      'create a/main#1',
    ],
    [
      'at once, whatever its back-off, which is as before',
      'grant net \n pod a net \n a/@#0 ended 9s ago \n a/@#1 running \n a/main#0 ended 0s ago \n waited a/main restart 80s since 60s ago',
      'create a/main#1',
    ],
    [
      'also when it died a moment before the holder, and could not be made on that',
      'grant net \n pod a net \n a/@#0 ended 2s ago \n a/@#1 running \n a/main#0 ended 3s ago \n trouble a/main create 2s ago \n waited a/main restart 80s since 60s ago',
      'create a/main#1',
    ],
    [
      'what had ended by itself before goes on waiting',
      'grant net \n pod a net \n a/@#0 ended 2s ago \n a/@#1 running \n a/main#0 ended 9s ago \n waited a/main restart 80s since 60s ago',
      'again in 71s',
    ],
    [
      'and so does what cannot be made on the new one either',
      'grant net \n pod a net \n a/@#0 ended 9s ago \n a/@#1 running \n a/main#0 ended 9s ago \n trouble a/main create 3s ago',
      'again in 7s',
    ],
    [
      'of a pod that shares processes it may be the holder that ended: a moment tells',
      'grant net-pids \n pod a net-pids \n a/@#0 running \n a/main#0 ended 0s ago killed',
      'again in 1s',
    ],
    [
      'it was not',
      'grant net-pids \n pod a net-pids \n a/@#0 running \n a/main#0 ended 1s ago killed',
      'create a/main#1, next wait restart 10s',
    ],
    [
      'it was',
      'grant net-pids \n pod a net-pids \n a/@#0 ended 0s ago \n a/@#1 running \n a/main#0 ended 0s ago killed \n waited a/main restart 80s since 60s ago',
      'create a/main#1',
    ],
    [
      'what was made on the old one is made anew',
      'grant net \n pod a net \n a/@#0 ended 9s ago \n a/@#1 running \n a/main#0 created',
      'create a/main#1',
    ],
    [
      'what could not start is not made while there is no holder',
      'grant net \n pod a net \n a/main#0 created \n trouble a/main start 60s ago',
      'create a/@#1',
    ],
    [
      'what runs on an older holder stops',
      'grant net \n pod a net \n a/@#0 ended 9s ago \n a/@#1 running \n a/main#0 running',
      'stop a/main#0 in 30s',
    ],
  ]);
});

describe('rule 96: a container that ended', () => {
  const ended = (more: string) => `grant r1 \n pod a r1 \n ${more}`;
  plans([
    [
      'the first time is made anew at once',
      ended('a/main#0 ended 0s ago'),
      'create a/main#1, next wait restart 10s',
    ],
    [
      'the second time waits 10 s from its end',
      ended('a/main#1 ended 3s ago \n waited a/main restart 10s since 20s ago'),
      'again in 7s',
    ],
    [
      'until they are over',
      ended('a/main#1 ended 10s ago \n waited a/main restart 10s since 20s ago'),
      'create a/main#2, next wait restart 20s',
    ],
    [
      'then 300 s at most',
      ended('a/main#7 ended 300s ago \n waited a/main restart 300s since 400s ago'),
      'create a/main#8, next wait restart 300s',
    ],
    [
      '600 s of running forget it',
      ended('a/main#7 ended 0s ago \n waited a/main restart 300s since 601s ago'),
      'create a/main#8, next wait restart 10s',
    ],
    [
      'ended before this agent looked: now counts',
      ended('a/main#3 ended unseen'),
      'create a/main#4, next wait restart 10s',
    ],
    [
      'each container waits for itself',
      'grant two \n pod a two \n a/main#1 ended 3s ago \n waited a/main restart 10s since 20s ago \n a/side#0 ended 0s ago',
      'create a/side#1, next wait restart 10s',
      'again in 7s',
    ],
    [
      'the next look is for the first that may go on',
      'grant two \n pod a two \n a/main#1 ended 3s ago \n waited a/main restart 10s since 20s ago \n a/side#1 ended 3s ago \n waited a/side restart 20s since 20s ago',
      'again in 7s',
    ],
  ]);
});

describe('a failed try', () => {
  plans([
    [
      'rule 98: an image: 10 s after the failure',
      'grant r1 \n pod a r1 \n trouble a/main image 3s ago',
      'again in 7s',
    ],
    [
      'rule 98: then it is tried again',
      'grant r1 \n pod a r1 \n trouble a/main image 10s ago',
      'create a/main#0, next wait pull 20s',
    ],
    [
      'rule 98: later each time',
      'grant r1 \n pod a r1 \n trouble a/main image 15s ago \n waited a/main pull 20s since 30s ago',
      'again in 5s',
    ],
    [
      'rule 98: for a restart as well, beside the wait of restarts',
      'grant r1 \n pod a r1 \n a/main#2 ended 99s ago \n trouble a/main image 10s ago \n waited a/main restart 40s since 99s ago',
      'create a/main#3, next wait pull 20s',
    ],
    ['to create waits like a restart', 'grant r1 \n pod a r1 \n trouble a/main create 3s ago', 'again in 7s'],
    [
      'and is repeated under the same number',
      'grant r1 \n pod a r1 \n trouble a/main create 10s ago',
      'create a/main#0, next wait restart 20s',
    ],
    [
      'to start waits, too',
      'grant r1 \n pod a r1 \n a/main#0 created \n trouble a/main start 3s ago',
      'again in 7s',
    ],
    [
      'and goes on with a new container',
      'grant r1 \n pod a r1 \n a/main#0 created \n trouble a/main start 10s ago',
      'create a/main#1, next wait restart 20s',
    ],
    ['of the holder likewise', 'grant net \n pod a net \n trouble a/@ create 3s ago', 'again in 7s'],
    [
      'of one container holds up no other',
      'grant two \n pod a two \n trouble a/main image 3s ago',
      'create a/side#0',
      'again in 7s',
    ],
  ]);
});

describe('liveness', () => {
  plans([
    [
      'rule 89: an unhealthy container is stopped in its grace',
      'grant slow \n pod a slow \n a/main#0 running \n unhealthy a/main#0',
      'stop a/main#0 in 120s',
    ],
    [
      'alone, not its neighbours',
      'grant two \n pod a two \n a/main#0 running \n a/side#0 running \n unhealthy a/side#0',
      'stop a/side#0 in 30s',
    ],
    ['not twice', 'grant r1 \n pod a r1 \n a/main#0 running \n unhealthy a/main#0 \n busy stop a/main'],
    [
      'while another pod is being prepared',
      'grant r2 \n pod a r1 \n a/main#0 running \n unhealthy a/main#0 \n pod b r2 \n busy create b/main',
      'stop a/main#0 in 30s',
    ],
  ]);
});

describe('what earlier attempts left', () => {
  plans([
    [
      'the last ended one is kept, for logs --previous',
      'grant r1 \n pod a r1 \n a/main#0 ended 9s ago \n a/main#1 running',
    ],
    [
      'those before it go',
      'grant r1 \n pod a r1 \n a/main#0 ended 99s ago \n a/main#1 ended 9s ago \n a/main#2 running',
      'remove a/main#0',
    ],
    [
      'one that never began goes, and the last that ended is kept',
      'grant r1 \n pod a r1 \n a/main#0 ended 99s ago \n a/main#1 created \n a/main#2 running',
      'remove a/main#1',
    ],
    [
      'one that still runs is stopped at once',
      'grant r1 \n pod a r1 \n a/main#0 running \n a/main#1 running',
      'stop a/main#0 in 0s',
    ],
    [
      'also before the next one starts: somebody started it again by hand',
      'grant r1 \n pod a r1 \n a/main#0 running \n a/main#1 created',
      'stop a/main#0 in 0s',
    ],
    [
      'not twice',
      'grant r1 \n pod a r1 \n a/main#0 ended 99s ago \n a/main#1 ended 9s ago \n a/main#2 running \n busy remove a/main#0',
    ],
    [
      'of the holder as well',
      'grant net \n pod a net \n a/@#0 ended 99s ago \n a/@#1 ended 9s ago \n a/@#2 running \n a/main#9 ended 0s ago \n busy create a/main',
      'remove a/@#0',
    ],
  ]);
});

describe('a pod that goes', () => {
  plans([
    [
      'rule 66: in its own grace',
      'grant slow \n pod a slow \n a/main#0 running \n Leave',
      'stop a/main#0 in 120s',
    ],
    [
      'rule 66: or the one that was asked for',
      'grant slow \n pod a slow \n a/main#0 running \n deleted a in 7s',
      'bear',
      'stop a/main#0 in 7s',
    ],
    [
      'rule 66: none asked for is its own',
      'grant slow \n pod a slow \n a/main#0 running \n deleted a',
      'bear',
      'stop a/main#0 in 120s',
    ],
    [
      'rule 66: 0 is at once',
      'no grant \n pod a slow \n a/main#0 running \n deleted a in 0s',
      'stop a/main#0 in 0s',
    ],
    [
      'without its template in 30 s',
      'no set \n pod a slow without template \n a/main#0 running',
      'stop a/main#0 in 30s',
    ],
    [
      'its containers all at once',
      'no set \n pod a two \n a/main#0 running \n a/side#0 running',
      'stop a/main#0 in 30s',
      'stop a/side#0 in 30s',
    ],
    [
      'what ended stays to be seen as long as another runs',
      'no set \n pod a two \n a/main#0 ended 1s ago \n a/side#0 running',
      'stop a/side#0 in 30s',
    ],
    [
      'then it is removed',
      'no set \n pod a two \n a/main#0 ended 1s ago \n a/side#0 ended 1s ago',
      'remove a/main#0',
      'remove a/side#0',
    ],
    [
      'the holder last of all',
      'no set \n pod a net \n a/@#0 running \n a/main#0 running',
      'stop a/main#0 in 30s',
    ],
    [
      'without grace, it has nothing to save',
      'no set \n pod a net \n a/@#0 running \n a/main#0 ended 1s ago',
      'stop a/@#0 in 0s',
      'remove a/main#0',
    ],
    [
      'an ended holder waits for what uses it',
      'no set \n pod a net \n a/@#0 ended 1s ago \n a/main#0 running',
      'stop a/main#0 in 30s',
    ],
    [
      'what never ran is only removed',
      'no set \n pod a net \n a/@#0 created \n a/main#0 created',
      'remove a/@#0',
      'remove a/main#0',
    ],
    ['when nothing is left it is forgotten', 'no set \n pod a r1', 'forget a'],
    ['not while something of it is being made', 'no set \n pod a r1 \n busy create a/main'],
    [
      'what is being stopped or removed is left to it',
      'no set \n pod a two \n a/main#0 running \n a/side#0 ended 1s ago \n busy stop a/main \n busy remove a/side#0',
    ],
    [
      'a container its template does not know goes as well',
      'no set \n pod a r1 \n a/strange#0 running',
      'stop a/strange#0 in 30s',
    ],
    [
      'nothing of it is restarted',
      'Leave \n pod a two \n a/main#0 ended 1s ago \n busy remove a/main#0 \n a/side#0 ended 1s ago',
      'remove a/side#0',
    ],
  ]);
});

describe('a pod that is prepared', () => {
  const beside = (more: string) => `grant two \n pod a r1 \n a/main#0 running \n pod b two \n ${more}`;
  plans([
    ['is made but not started', beside('b/main#0 created'), 'create b/side#0'],
    [
      'with its holder',
      'grant net \n pod a r1 \n a/main#0 running \n pod b net \n b/@#0 created',
      'create b/main#0',
    ],
    [
      'an image that is not there is tried again, and the old pod runs on',
      beside('b/main#0 created \n trouble b/side image 10s ago'),
      'create b/side#0, next wait pull 20s',
    ],
    ['and again', beside('b/main#0 created \n trouble b/side image 3s ago'), 'again in 7s'],
    ['made whole, the old pod stops', beside('b/main#0 created \n b/side#0 created'), 'stop a/main#0 in 30s'],
    [
      'nothing of it starts before that has stopped',
      `${beside('b/main#0 created \n b/side#0 created')} \n busy stop a/main`,
    ],
    [
      'then all of it',
      'grant two \n pod a r1 \n a/main#0 ended 0s ago \n pod b two \n b/main#0 created \n b/side#0 created',
      'remove a/main#0',
      'start b/main#0',
      'start b/side#0',
    ],
    [
      'what ended of it is not restarted before its turn',
      'grant r2 \n pod a r2 \n a/main#0 ended 9s ago \n pod b r1 \n b/main#0 running',
      'stop b/main#0 in 30s',
    ],
  ]);
});

describe('a container that cannot be made for want of a ConfigMap or Secret', () => {
  plans([
    ['waits, however long', 'grant r1 \n pod a r1 \n config a c1 \n trouble a/main config c1'],
    ['for ever, where it names none that could change', 'grant r1 \n pod a r1 \n trouble a/main config'],
    [
      'and is made at once when those are others',
      'grant r1 \n pod a r1 \n config a c2 \n trouble a/main config c1',
      'create a/main#0',
    ],
    [
      'also after it ran',
      'grant r1 \n pod a r1 \n a/main#3 ended 1s ago \n config a c2 \n trouble a/main config c1',
      'create a/main#4',
    ],
    [
      'the old pod runs on meanwhile',
      'grant r2 \n pod a r1 \n a/main#0 running \n pod b r2 \n config b c1 \n trouble b/main config c1',
    ],
  ]);
});

describe("a container that names its pod's address", () => {
  plans([
    ['is made when the holder runs', 'grant net-addr \n pod a net-addr \n a/@#0 created', 'start a/@#0'],
    ['and not before', 'grant net-addr \n pod a net-addr \n a/@#0 running', 'create a/main#0'],
    [
      'beside the pod it replaces it is gone through as far as can be',
      'grant net-addr \n pod a net \n a/@#0 running \n a/main#0 running \n pod b net-addr \n b/@#0 created',
      'check b/main#0',
    ],
    [
      'and then that one is stopped',
      'grant net-addr \n pod a net \n a/@#0 running \n a/main#0 running \n pod b net-addr \n b/@#0 created \n checked b/main',
      'stop a/main#0 in 30s',
    ],
    [
      'what is wrong with it leaves that one running',
      'grant net-addr \n pod a net \n a/@#0 running \n a/main#0 running \n pod b net-addr \n b/@#0 created \n trouble b/main image 3s ago',
      'again in 7s',
    ],
    ['so is an init container', 'grant net-init-addr \n pod a net-init-addr \n a/@#0 created', 'start a/@#0'],
    [
      'which is made before the others',
      'grant net-init-addr \n pod a net-init-addr \n a/@#0 running',
      'create a/first#0',
    ],
    [
      "on the host's network nothing waits for a holder to run",
      'grant init-addr \n pod a init-addr \n a/@#0 created',
      'start a/@#0',
      'create a/first#0',
    ],
    ["on the host's network its address is the node's", 'grant addr \n pod a addr', 'create a/main#0'],
  ]);
});

describe('what is to be made may be started without another look when, made, it would be started', () => {
  const situations = [
    'grant r1 \n pod a r1',
    'grant net \n pod a net',
    'grant net \n pod a net \n a/@#0 created',
    'grant net \n pod a net \n a/@#0 running',
    'grant net-init \n pod a net-init \n a/@#0 running',
    'grant two \n pod a two',
    'grant two-hook \n pod a two-hook',
    'grant r2 \n pod a r1 \n a/main#0 running \n pod b r2',
    'surge \n grant r2 \n pod a r1 \n a/main#0 running \n pod b r2',
    'grant r1 \n pod a r1 \n a/main#0 ended 99s ago',
    'grant net \n pod a net \n a/@#0 ended 0s ago \n a/main#0 running',
  ];
  const shownAs = ({ podUid, container }: CreateAction) =>
    `${podUid}/${container === HOLDER ? '@' : container}`;
  const next = situations.flatMap((facts) =>
    planOf(facts).actions.flatMap((action) =>
      action.kind === 'create'
        ? [{ facts, key: actionKey(action), shown: shownAs(action), attempt: action.attempt }]
        : [],
    ),
  );
  const isBegun = (facts: string, key: string) =>
    planOf(facts).actions.some((action) => action.kind === 'start' && actionKey(action) === key);

  test.each(next)('$shown of "$facts"', ({ facts, key, shown, attempt }) => {
    const made = `${facts} \n ${shown}#${attempt} created`;
    expect(planOf(facts).startable?.has(key)).toBe(isBegun(made, key));
    // Also while it is being made.
    expect(planOf(`${facts} \n busy create ${shown}`).startable?.has(key)).toBe(isBegun(made, key));
  });
  test('some may, and some may not', () => {
    const may = next.filter(({ facts, key }) => planOf(facts).startable?.has(key)).length;
    expect([may > 4, next.length - may > 2]).toEqual([true, true]);
  });
});
