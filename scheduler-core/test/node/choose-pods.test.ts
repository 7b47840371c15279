// Proves which pods of a DaemonSet a node runs, prepares and stops (rules 16 to 18 and 47), and that each choice says why.
import { describe, expect, test } from 'vitest';
import { bucketsOf, planOf } from './scenario.ts';

type Row = readonly [sentence: string, facts: string, buckets: string, bears?: boolean];
const chooses = (rows: readonly Row[]) =>
  test.each(rows.map((row) => [row[0], row] as const))(
    '%s',
    (_sentence, [, facts, buckets, bears = false]) => {
      const plan = planOf(facts);
      expect(bucketsOf(plan)).toBe(buckets);
      expect(plan.actions.some(({ kind }) => kind === 'bear')).toBe(bears);
      for (const { reason } of plan.pods) expect(reason).not.toBe('');
    },
  );

describe('one revision', () => {
  chooses([
    ['rule 16: no pod, and one is granted: a pod is born', 'grant r1', '', true],
    ['not twice', 'grant r1 \n busy bear', ''],
    ['not without a grant', 'no grant', ''],
    ['the pod it has runs', 'grant r1 \n pod a r1 \n a/main#0 running', 'a run'],
    ['also when it has not begun', 'grant r1 \n pod a r1', 'a run'],
    ['without a grant what runs may stay', 'no grant \n pod a r1 \n a/main#0 running', 'a run'],
    [
      'rule 17: of two that run the oldest stays, and waits for the other',
      'grant r1 \n pod a r1 \n pod b r1 \n a/main#0 running \n b/main#0 running',
      'a prepare, b stop',
    ],
    [
      'of two the one that runs stays, though younger',
      'grant r1 \n pod a r1 \n pod b r1 \n a/main#0 ended 1s ago \n b/main#0 running',
      'a stop, b run',
    ],
    [
      'of two the one that has run',
      'grant r1 \n pod a r1 \n pod b r1 \n a/main#0 created \n b/main#0 ended 1s ago',
      'a stop, b run',
    ],
    ['of two that have not begun the oldest', 'grant r1 \n pod a r1 \n pod b r1', 'a run, b stop'],
  ]);
});

describe('an update', () => {
  chooses([
    [
      'a successor is born while the old pod runs on',
      'grant r2 \n pod a r1 \n a/main#0 running',
      'a run',
      true,
    ],
    ['it is prepared beside it', 'grant r2 \n pod a r1 \n pod b r2 \n a/main#0 running', 'a run, b prepare'],
    [
      'as long as anything of it is missing',
      'grant two \n pod a r1 \n pod b two \n a/main#0 running \n b/main#0 created',
      'a run, b prepare',
    ],
    [
      'or is being made',
      'grant r2 \n pod a r1 \n pod b r2 \n a/main#0 running \n b/main#0 created \n busy create b/main',
      'a run, b prepare',
    ],
    [
      'with its holder',
      'grant net2 \n pod a r1 \n pod b net2 \n a/main#0 running \n b/main#0 created',
      'a run, b prepare',
    ],
    [
      'an image that cannot be pulled keeps the old pod',
      'grant r2 \n pod a r1 \n pod b r2 \n a/main#0 running \n trouble b/main image 1s ago',
      'a run, b prepare',
    ],
    [
      'a template that is not there keeps the old pod',
      'grant r2 \n pod a r1 \n pod b r2 without template \n a/main#0 running',
      'a run, b prepare',
    ],
    [
      'when all is there the old pod goes first',
      'grant r2 \n pod a r1 \n pod b r2 \n a/main#0 running \n b/main#0 created',
      'a stop, b prepare',
    ],
    [
      'its holder, too',
      'grant r2 \n pod a net1 \n pod b r2 \n a/@#0 running \n a/main#0 ended 1s ago \n b/main#0 created',
      'a stop, b prepare',
    ],
    [
      'and only then the new one runs',
      'grant r2 \n pod a r1 \n pod b r2 \n a/main#0 ended 1s ago \n b/main#0 created',
      'a stop, b run',
    ],
    [
      'a start under way of the old one counts as running',
      'grant r2 \n pod a r1 \n pod b r2 \n a/main#0 created \n b/main#0 created \n busy start a/main',
      'a stop, b prepare',
    ],
    [
      'a crashing old pod stays until then',
      'grant r2 \n pod a r1 \n pod b r2 \n a/main#0 ended 1s ago',
      'a run, b prepare',
    ],
    [
      'a new pod that has begun is never put back',
      'grant r2 \n pod a r1 \n pod b r2 \n a/main#0 ended 9s ago \n b/main#0 ended 1s ago',
      'a stop, b run',
    ],
    [
      'the name of a revision is not enough: the template counts',
      'grant r2 \n pod a r2x \n a/main#0 running',
      'a run',
      true,
    ],
  ]);
});

describe('two updates in a row', () => {
  chooses([
    [
      'what was being prepared goes, what runs stays',
      'grant r3 \n pod a r1 \n pod b r2 \n a/main#0 running \n b/main#0 created',
      'a run, b stop',
      true,
    ],
    [
      'what began last stays, the one before it goes on going',
      'grant r3 \n pod a r1 \n pod b r2 \n a/main#0 ended 9s ago \n b/main#0 running',
      'a stop, b run',
      true,
    ],
    [
      'a pod that is being stopped is not woken while its successor runs',
      'grant r3 \n pod a r1 \n pod b r2 \n pod c r3 \n a/main#0 ended 9s ago \n b/main#0 running',
      'a stop, b run, c prepare',
    ],
    [
      'back to the first: it goes on, the other goes',
      'grant r1 \n pod a r1 \n pod b r2 \n a/main#0 running \n b/main#0 created',
      'a run, b stop',
    ],
    [
      'back to the first after it ended: it waits for the other',
      'grant r1 \n pod a r1 \n pod b r2 \n a/main#0 ended 9s ago \n b/main#0 running',
      'a prepare, b stop',
    ],
  ]);
});

describe('a deleted pod', () => {
  chooses([
    [
      'stops, and another is born at once',
      'grant r1 \n pod a r1 \n a/main#0 running \n deleted a',
      'a stop',
      true,
    ],
    [
      'rule 18: which does not run before it has ended',
      'grant r1 \n pod a r1 \n pod b r1 \n a/main#0 running \n b/main#0 created \n deleted a',
      'a stop, b prepare',
    ],
    [
      'and then does',
      'grant r1 \n pod a r1 \n pod b r1 \n a/main#0 ended 1s ago \n b/main#0 created \n deleted a',
      'a stop, b run',
    ],
    [
      'a pod that stays is not woken beside it',
      'grant r3 \n pod a r1 \n pod b r2 \n a/main#0 running \n b/main#0 ended 1s ago \n deleted a',
      'a stop, b prepare',
      true,
    ],
    [
      'rule 47: without a grant nothing takes its place',
      'no grant \n pod a r1 \n a/main#0 running \n deleted a',
      'a stop',
    ],
  ]);
});

describe('where it may only stay, or must go', () => {
  chooses([
    ['Keep: no pod is born', 'Keep \n grant r1', ''],
    ['Keep: what runs stays', 'Keep \n grant r1 \n pod a r1 \n a/main#0 running', 'a run'],
    [
      'Keep: and is not replaced (a departure from rule 37)',
      'Keep \n grant r2 \n pod a r1 \n a/main#0 running',
      'a run',
    ],
    [
      'Keep: in the middle of an update what runs stays',
      'Keep \n grant r2 \n pod a r1 \n pod b r2 \n a/main#0 running \n b/main#0 created',
      'a run, b stop',
    ],
    [
      'Keep: after the change as well',
      'Keep \n grant r2 \n pod a r1 \n pod b r2 \n a/main#0 ended 1s ago \n b/main#0 running',
      'a stop, b run',
    ],
    [
      'Keep: a deleted pod does not come back',
      'Keep \n grant r1 \n pod a r1 \n a/main#0 running \n deleted a',
      'a stop',
    ],
    ['Leave: all stop', 'Leave \n grant r2 \n pod a r1 \n pod b r2 \n a/main#0 running', 'a stop, b stop'],
    ['Leave: nothing is born', 'Leave \n grant r1', ''],
    [
      'rule 63: the DaemonSet is gone: all stop',
      'no set \n pod a r1 \n pod b r2 \n a/main#0 running',
      'a stop, b stop',
    ],
  ]);
});

describe('the reasons', () => {
  test.each([
    ['grant r1 \n pod a r1', 'a', 'granted to this node'],
    ['grant r2 \n pod a r1 \n a/main#0 running', 'a', 'it stays until its replacement is prepared'],
    ['grant r2 \n pod a r1 \n pod b r2 \n a/main#0 running', 'b', 'prepared before the old pod is stopped'],
    [
      'grant r2 \n pod a r1 \n pod b r2 \n a/main#0 running \n b/main#0 created',
      'a',
      'revision r2 replaces it',
    ],
    [
      'grant r2 \n pod a r1 \n pod b r2 \n a/main#0 running \n b/main#0 created',
      'b',
      'waits until the pod before it has stopped',
    ],
    ['no grant \n pod a r1', 'a', 'nothing is granted to this node: what runs may stay'],
    ['Keep \n grant r1 \n pod a r1', 'a', 'no new pod is wanted here, it may stay'],
    ['Leave \n pod a r1', 'a', 'the DaemonSet does not belong on this node'],
    ['no set \n pod a r1', 'a', 'its DaemonSet was deleted'],
    ['grant r1 \n pod a r1 \n deleted a', 'a', 'it was deleted'],
    ['grant r1 \n pod a r1 \n pod b r1', 'b', 'another pod of its DaemonSet runs here'],
  ])('%j: %s because %s', (facts, uid, reason) => {
    expect(planOf(facts).pods.find(({ record }) => record.uid === uid)?.reason).toBe(reason);
  });
  test('of a birth', () => {
    const bornBecause = (facts: string) => planOf(facts).actions.find(({ kind }) => kind === 'bear')?.reason;
    expect(bornBecause('grant r1')).toBe('the node has no pod');
    expect(bornBecause('grant r2 \n pod a r1')).toBe('revision r2 replaces it');
  });
});

describe('a hold', () => {
  chooses([
    [
      'keeps what runs, and nothing is born beside it',
      'held \n grant r2 \n pod a r1 \n a/main#0 running',
      'a run',
    ],
    [
      'also what has crashed and is started again',
      'held \n grant r2 \n pod a r1 \n a/main#0 ended 1s ago',
      'a run',
    ],
    [
      'a successor that is ready waits beside it',
      'held \n grant r2 \n pod a r1 \n pod b r2 \n a/main#0 running \n b/main#0 created',
      'a run, b prepare',
    ],
    ['a node without a pod gets one', 'held \n grant r1', '', true],
    ['what has never run is replaced', 'held \n grant r2 \n pod a r1 \n a/main#0 created', 'a run', true],
    [
      'a pod that was deleted goes',
      'held \n grant r1 \n pod a r1 \n a/main#0 running \n deleted a',
      'a stop',
      true,
    ],
    ['a pod whose DaemonSet is gone goes', 'held \n no set \n pod a r1 \n a/main#0 running', 'a stop'],
    [
      'a pod that does not belong here goes',
      'held \n grant r1 \n Leave \n pod a r1 \n a/main#0 running',
      'a stop',
    ],
    [
      'what was begun goes on: the new pod has started',
      'held \n grant r2 \n pod a r1 \n pod b r2 \n a/main#0 running \n b/main#0 running',
      'a stop, b prepare',
    ],
    [
      'under a surge, too, nothing is born beside what runs',
      'held \n surge \n grant r2 \n pod a r1 \n a/main#0 running \n a available',
      'a run',
    ],
    [
      'nor is anything started',
      'held \n surge \n grant r2 \n pod a r1 \n pod b r2 \n a/main#0 running \n a available \n b/main#0 created',
      'a run, b prepare',
    ],
    [
      'what runs beside it already takes nothing from it',
      'held \n surge \n grant r2 \n pod a r1 \n pod b r2 \n a/main#0 running \n b/main#0 running \n a available \n b available',
      'a run, b run',
    ],
    [
      'and goes when the grant is taken back',
      'held \n surge \n grant r1 \n pod a r1 \n pod b r2 \n a/main#0 running \n b/main#0 running \n a available \n b unready',
      'a run, b stop',
    ],
    [
      'what serves takes the place of what does not',
      'held \n surge \n grant r2 \n pod a r1 \n pod b r2 \n a/main#0 running \n b/main#0 running \n a unready \n b available',
      'a stop, b run',
    ],
  ]);
});
