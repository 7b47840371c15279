// Proves the order in which init containers, sidecars and main containers are made, restarted and stopped (rules 100,
// 101, 103 and 104).
import { describe, expect, test } from 'vitest';
import { bucketsOf, planOf, stepsOf } from './scenario.ts';

type Row = readonly [sentence: string, facts: string, ...steps: string[]];
const plans = (pod: string, rows: readonly Row[]) =>
  test.each(rows.map((row) => [row[0], row] as const))('%s', (_sentence, [, facts, ...steps]) => {
    expect(stepsOf(planOf(`grant ${pod} \n pod a ${pod} \n ${facts}`))).toEqual(steps);
  });

describe('rule 100: init containers run one after the other', () => {
  plans('init', [
    ['also on the host network the pod begins with its holder', '', 'create a/@#0'],
    ['the first is made, and nothing else', 'a/@#0 running', 'create a/first#0'],
    ['and started', 'a/@#0 running \n a/first#0 created', 'start a/first#0'],
    ['while it runs the next one waits', 'a/@#0 running \n a/first#0 running'],
    ['when it has ended well the next is made', 'a/@#0 running \n a/first#0 done 1s ago', 'create a/last#0'],
    [
      'when it has failed it is made anew, and the next waits',
      'a/@#0 running \n a/first#0 ended 1s ago',
      'create a/first#1, next wait restart 10s',
    ],
    [
      'again and again it waits like any container (rule 96)',
      'a/@#0 running \n a/first#1 ended 3s ago \n waited a/first restart 10s since 20s ago',
      'again in 7s',
    ],
    [
      'when all have ended well the main container is made',
      'a/@#0 running \n a/first#0 done 9s ago \n a/last#0 done 1s ago',
      'create a/main#0',
    ],
    [
      'the last that has begun tells how far it came: marks of earlier ones may be gone',
      'a/@#0 running \n a/last#0 done 1s ago',
      'create a/main#0',
    ],
    [
      'what ended without a code has failed',
      'a/@#0 running \n a/first#0 ended unseen',
      'create a/first#1, next wait restart 10s',
    ],
    [
      'once a main container ran none runs again, whatever became of it',
      'a/@#0 running \n a/main#0 ended 1s ago',
      'create a/main#1, next wait restart 10s',
    ],
    [
      'what ended well is left alone, an attempt before it as well',
      'a/@#0 running \n a/first#0 ended 20s ago \n a/first#1 done 9s ago \n a/last#0 running',
    ],
  ]);
});

describe('rule 100: when the holder is lost all run again', () => {
  plans('init', [
    [
      'after it ended, as after a reboot: first a new one',
      'a/@#0 ended 1s ago \n a/first#0 done 99s ago \n a/last#0 done 98s ago \n a/main#0 ended 1s ago',
      'create a/@#1, next wait restart 1s',
    ],
    [
      'then the first, under its next number',
      'a/@#0 ended 2s ago \n a/@#1 running \n a/first#0 done 99s ago \n a/last#0 done 98s ago \n a/main#0 ended 2s ago',
      'create a/first#1',
    ],
    [
      'then the second, and what ran on the old one waits',
      'a/@#1 running \n a/first#1 done 1s ago on 1 \n a/last#0 done 98s ago \n a/main#0 ended 2s ago',
      'create a/last#1',
    ],
    [
      'then the main container',
      'a/@#1 running \n a/first#1 done 2s ago on 1 \n a/last#1 done 1s ago on 1 \n a/main#0 ended 2s ago',
      'create a/main#1',
    ],
    [
      'what still runs on the old one is stopped first',
      'a/@#1 running \n a/first#0 done 99s ago \n a/last#0 done 98s ago \n a/main#0 running',
      'create a/first#1',
      'stop a/main#0 in 30s',
    ],
  ]);
});

describe('rule 101: sidecars', () => {
  plans('car', [
    ['the first is made', 'a/@#0 running', 'create a/car#0'],
    ['the next one waits until it runs', 'a/@#0 running \n a/car#0 created', 'start a/car#0'],
    ['not until it has ended', 'a/@#0 running \n a/car#0 running', 'create a/mid#0'],
    ['while its start is under way the next waits', 'a/@#0 running \n a/car#0 running \n busy start a/car'],
    [
      'it is restarted on its own while others initialize',
      'a/@#0 running \n a/car#0 ended 1s ago \n a/mid#0 running',
      'create a/car#1, next wait restart 10s',
    ],
    [
      'also when it ended well',
      'a/@#0 running \n a/car#0 done 1s ago \n a/mid#0 running',
      'create a/car#1, next wait restart 10s',
    ],
    [
      'and while the main container runs',
      'a/@#0 running \n a/car#0 ended 1s ago \n a/mid#0 done 9s ago \n a/van#0 running \n a/main#0 running',
      'create a/car#1, next wait restart 10s',
    ],
    [
      'the main container comes after the last of them',
      'a/@#0 running \n a/car#0 running \n a/mid#0 done 9s ago \n a/van#0 running',
      'create a/main#0',
    ],
    [
      'one that fails its liveness is restarted alone',
      'a/@#0 running \n a/car#0 running \n a/mid#0 done 9s ago \n a/van#0 running \n a/main#0 running \n unhealthy a/car#0',
      'stop a/car#0 in 30s',
    ],
  ]);
  describe('with a startup probe', () =>
    plans('carprobed', [
      ['the next waits until that has passed', 'a/@#0 running \n a/car#0 running'],
      ['and then comes', 'a/@#0 running \n a/car#0 running started', 'create a/mid#0'],
      [
        'what has come already goes on when it starts anew',
        'a/@#0 running \n a/car#1 running \n a/mid#0 done 1s ago',
        'create a/van#0',
      ],
    ]));
});

describe('a pod with sidecars that goes', () => {
  const goes = (rows: readonly Row[]) =>
    test.each(rows.map((row) => [row[0], row] as const))('%s', (_sentence, [, facts, ...steps]) => {
      expect(stepsOf(planOf(`no set \n pod a car \n a/@#0 running \n ${facts}`))).toEqual(steps);
    });
  goes([
    [
      'stops its main containers, then the sidecars from the last to the first',
      'a/car#0 running \n a/van#0 running \n a/main#0 running',
      'stop a/car#0 in 30s after main, van',
      'stop a/van#0 in 30s after main',
      'stop a/main#0 in 30s',
    ],
    [
      'waits for none that has ended',
      'a/car#0 running \n a/van#0 running \n a/main#0 ended 1s ago',
      'stop a/car#0 in 30s after van',
      'stop a/van#0 in 30s',
    ],
    ['waits for one that is just being started', 'a/car#0 running \n a/main#0 created \n busy start a/main'],
  ]);
});

describe('beside the pod it replaces', () => {
  const prepares = (rows: readonly Row[]) =>
    test.each(rows.map((row) => [row[0], row] as const))('%s', (_sentence, [, facts, ...steps]) => {
      const before = 'grant init \n pod a r1 \n a/main#0 running \n pod b init';
      expect(stepsOf(planOf(`${before} \n ${facts}`))).toEqual(steps);
    });
  prepares([
    [
      'no init container is started: all that is made is the holder and the first, the others are checked',
      'b/@#0 created',
      'create b/first#0',
      'check b/last#0',
      'check b/main#0',
    ],
    [
      'a check that failed is repeated, and the old pod runs on',
      'b/@#0 created \n b/first#0 created \n checked b/last \n trouble b/main image 3s ago',
      'again in 7s',
    ],
    [
      'when all is checked the old pod stops',
      'b/@#0 created \n b/first#0 created \n checked b/last \n checked b/main',
      'stop a/main#0 in 30s',
    ],
  ]);
  test('what was checked is made with the image that is there', () => {
    const facts = 'b/@#0 running \n b/first#0 done 1s ago \n checked b/last \n checked b/main';
    expect(stepsOf(planOf(`grant init \n pod b init \n ${facts}`))).toEqual(['create checked b/last#0']);
  });
  test('nothing of it runs before the old one has stopped', () => {
    const facts =
      'grant init \n pod a r1 \n a/main#0 running \n pod b init \n b/@#0 created \n b/first#0 created';
    expect(bucketsOf(planOf(facts))).toBe('a run, b prepare');
  });
});

describe('rule 103: a postStart hook', () => {
  plans('nethooktwo', [
    [
      'holds up the containers after its own until it has ended',
      'a/@#0 running \n a/main#0 running \n a/side#0 created \n busy start a/main',
    ],
    ['also before it has begun', 'a/@#0 running \n a/main#0 created \n a/side#0 created', 'start a/main#0'],
    ['and no longer', 'a/@#0 running \n a/main#0 running \n a/side#0 created', 'start a/side#0'],
    [
      'nor when it failed: its container is restarted like one that ended',
      'a/@#0 running \n a/main#0 ended 1s ago \n a/side#0 created \n trouble a/main hook 1s ago',
      'create a/main#1, next wait restart 10s',
      'start a/side#0',
    ],
  ]);
});

describe('rule 104: the grace of a probe', () => {
  plans('grace', [
    ['of liveness', 'a/main#0 running \n unhealthy a/main#0', 'stop a/main#0 in 9s'],
    ['of startup', 'a/main#0 running \n unhealthy a/main#0 startup', 'stop a/main#0 in 7s'],
  ]);
  test('gives way to that of a deletion', () => {
    const facts = 'no grant \n pod a grace \n a/main#0 running \n unhealthy a/main#0 \n deleted a in 21s';
    expect(stepsOf(planOf(facts))).toEqual(['stop a/main#0 in 21s']);
  });
});
