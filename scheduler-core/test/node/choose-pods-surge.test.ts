// Proves which pods of a DaemonSet a node runs and stops under a surge (rules 18 and 41 to 45), and that nothing is
// stopped for what is not known.
import { describe, expect, test } from 'vitest';
import { bucketsOf, planOf, stepsOf } from './scenario.ts';

type Row = readonly [sentence: string, facts: string, buckets: string, bears?: boolean];
const chooses = (rows: readonly Row[]) =>
  test.each(rows.map((row) => [row[0], row] as const))(
    '%s',
    (_sentence, [, facts, buckets, bears = false]) => {
      const plan = planOf(`surge \n ${facts}`);
      expect(bucketsOf(plan)).toBe(buckets);
      expect(plan.actions.some(({ kind }) => kind === 'bear')).toBe(bears);
      for (const { reason } of plan.pods) expect(reason).not.toBe('');
    },
  );

const OLD = 'pod a r1 \n a/main#0 running \n a available';
const BOTH = 'grant r2 \n pod a r1 \n pod b r2 \n a/main#0 running \n b/main#0 running';

describe('rule 41: an update', () => {
  chooses([
    ['a successor is born while the old pod runs on', `grant r2 \n ${OLD}`, 'a run', true],
    ['and runs beside it', `grant r2 \n ${OLD} \n pod b r2`, 'a run, b run'],
    ['both run as long as the new one is not ready', `${BOTH} \n a available \n b unready`, 'a run, b run'],
    ['or not ready for long enough', `${BOTH} \n a available \n b available in 5s`, 'a run, b run'],
    ['when it is available the old one goes', `${BOTH} \n a available \n b available`, 'a stop, b run'],
    [
      'an image that cannot be pulled keeps the old pod',
      `grant r2 \n ${OLD} \n pod b r2 \n b unready \n trouble b/main image 1s ago`,
      'a run, b run',
    ],
    [
      'a new pod that crashes keeps the old pod',
      `grant r2 \n ${OLD} \n pod b r2 \n b/main#0 ended 1s ago \n b unready`,
      'a run, b run',
    ],
  ]);
  test('the node looks again when the new one has been ready for long enough', () => {
    expect(stepsOf(planOf(`surge \n ${BOTH} \n a available \n b available in 5s`))).toEqual(['again in 5s']);
  });
});

describe('rule 42: an old pod that is not ready', () => {
  chooses([
    [
      'stays while the new one is not there',
      'grant r2 \n pod a r1 \n a/main#0 running \n a unready',
      'a run',
      true,
    ],
    [
      'and while its containers are not made (a departure: its image may never come)',
      'grant r2 \n pod a r1 \n pod b r2 \n a/main#0 running \n a unready \n b unready',
      'a run, b run',
    ],
    ['goes at once when both are there', `${BOTH} \n a unready \n b unready`, 'a stop, b run'],
    [
      'also when it has ended',
      `grant r2 \n pod a r1 \n pod b r2 \n a/main#0 ended 1s ago \n b/main#0 running \n a unready`,
      'a stop, b run',
    ],
    [
      'not when it is ready, but not for long enough',
      `${BOTH} \n a available in 5s \n b unready`,
      'a run, b run',
    ],
  ]);
});

describe('what is not known stops nothing', () => {
  chooses([
    ['of the old pod', `${BOTH} \n b unready`, 'a run, b run'],
    ['of the new pod', `${BOTH} \n a available`, 'a run, b run'],
    ['of both', BOTH, 'a run, b run'],
    [
      'of the old pod does not matter when the new one is available',
      `${BOTH} \n b available`,
      'a stop, b run',
    ],
    [
      'of two old pods: both stay, and no third is born',
      'grant r3 \n pod a r1 \n pod b r2 \n a/main#0 running \n b/main#0 running',
      'a run, b run',
    ],
    [
      'of one of two, when the other does not serve',
      'grant r3 \n pod a r1 \n pod b r2 \n a/main#0 running \n b/main#0 running \n a unready',
      'a run, b run',
    ],
    [
      'of one of two, when the other serves: it goes',
      'grant r3 \n pod a r1 \n pod b r2 \n a/main#0 running \n b/main#0 running \n b available',
      'a stop, b run',
      true,
    ],
  ]);
});

describe('rule 45: one old and one new pod', () => {
  chooses([
    [
      'the oldest of each revision that is available stays',
      'grant r2 \n pod a r1 \n pod b r1 \n pod c r2 \n a/main#0 running \n b/main#0 running \n a available \n b available \n c unready',
      'a run, b stop, c prepare',
    ],
    [
      'two updates in a row: what serves stays, what does not goes, the newest is born',
      'grant r3 \n pod a r1 \n pod b r2 \n a/main#0 running \n b/main#0 running \n a available \n b unready',
      'a run, b stop',
      true,
    ],
    [
      'one that is ready before one that is not',
      'grant r3 \n pod a r1 \n pod b r2 \n a/main#0 running \n b/main#0 running \n a unready \n b available in 9s',
      'a stop, b run',
      true,
    ],
    [
      'the third does not start before the second has ended',
      'grant r3 \n pod a r1 \n pod b r2 \n pod c r3 \n a/main#0 running \n b/main#0 running \n c/main#0 created \n a available \n b unready \n c unready',
      'a run, b stop, c prepare',
    ],
  ]);
});

describe('a port of the node', () => {
  const ports = 'pod a r9100 \n a/main#0 running \n a available';
  chooses([
    [
      'that the old pod has keeps the new one waiting',
      `grant s9100 \n ${ports} \n pod b s9100`,
      'a run, b prepare',
    ],
    [
      'is free when the old one, which was not ready, has gone',
      'grant s9100 \n pod a r9100 \n pod b s9100 \n a/main#0 ended 1s ago \n a unready \n b/main#0 created \n b unready',
      'a stop, b run',
    ],
    ['that only one of them has does not matter', `grant r2 \n ${ports} \n pod b r2`, 'a run, b run'],
    [
      'of a new pod that runs already is no reason to stop it',
      `grant s9100 \n ${ports} \n pod b s9100 \n b/main#0 running \n b unready`,
      'a run, b run',
    ],
  ]);
});

describe('the way back', () => {
  chooses([
    [
      'an undo stops the new pod; the old one never stopped',
      'grant r1 \n pod a r1 \n pod b r2 \n a/main#0 running \n b/main#0 ended 1s ago \n a available \n b unready',
      'a run, b stop',
    ],
    [
      'not before the first is known to be available',
      'grant r1 \n pod a r1 \n pod b r2 \n a/main#0 running \n b/main#0 running \n b available',
      'a run, b run',
    ],
    [
      'when the old one is gone it comes beside the new one',
      'grant r1 \n pod b r2 \n b/main#0 running \n b available',
      'b run',
      true,
    ],
  ]);
});

describe('rule 18: a pod that terminates', () => {
  chooses([
    [
      'gets another beside it at once',
      'grant r1 \n pod a r1 \n a/main#0 running \n a available \n deleted a',
      'a stop',
      true,
    ],
    [
      'which runs before it has ended',
      'grant r1 \n pod a r1 \n pod b r1 \n a/main#0 running \n b/main#0 created \n deleted a',
      'a stop, b run',
    ],
    [
      'but never more than two run (a departure)',
      'grant r2 \n pod a r1 \n pod b r1 \n pod c r2 \n a/main#0 running \n b/main#0 running \n b available \n c/main#0 created \n c unready \n deleted a',
      'a stop, b run, c prepare',
    ],
  ]);
});

describe('rule 44: where it may only stay', () => {
  chooses([
    ['it is not replaced (a departure, as without a surge)', `Keep \n grant r2 \n ${OLD}`, 'a run'],
    [
      'in the middle of an update the one that serves stays',
      `Keep \n ${BOTH} \n a available \n b unready`,
      'a run, b stop',
    ],
    ['also when that is the new one', `Keep \n ${BOTH} \n a unready \n b available`, 'a stop, b run'],
    [
      'a new one that was only prepared is not started beside the old one that ends',
      `Keep \n grant r2 \n ${OLD} \n pod b r2 \n b/main#0 created \n deleted a`,
      'a stop, b prepare',
    ],
    ['and both while nothing is known', `Keep \n ${BOTH}`, 'a run, b run'],
    [
      'an old pod that is not available stays as well',
      'Keep \n grant r2 \n pod a r1 \n a/main#0 ended 1s ago \n a unready',
      'a run',
    ],
  ]);
});

describe('a surge that is switched in the middle', () => {
  test.each([
    [
      'on: the new pod starts beside the old one',
      `surge \n grant r2 \n ${OLD} \n pod b r2 \n b/main#0 created \n b unready`,
      ['start b/main#0'],
    ],
    [
      'off: the old one goes before the new one is available',
      `${BOTH} \n a available \n b unready`,
      ['stop a/main#0 in 30s'],
    ],
  ])('%s', (_sentence, facts, steps) => {
    expect(stepsOf(planOf(facts))).toEqual(steps);
  });
});

test.each([
  [`${BOTH} \n a available \n b unready`, 'a', 'it stays until its replacement is available'],
  [`${BOTH} \n a available \n b available`, 'a', 'revision r2 replaces it'],
  [`${BOTH} \n a unready \n b unready`, 'a', 'it is not ready, and revision r2 replaces it'],
  [`${BOTH} \n a available \n b unready`, 'b', 'granted to this node'],
  [
    'grant s9100 \n pod a r9100 \n a/main#0 running \n a available \n pod b s9100',
    'b',
    'waits for port TCP/9100 of the node: the pod before it has it',
  ],
  [
    'grant r3 \n pod a r1 \n pod b r2 \n a/main#0 running \n b/main#0 running',
    'b',
    'it is not known yet which of them serves',
  ],
])('the reason: %j: %s because %s', (facts, uid, reason) => {
  expect(planOf(`surge \n ${facts}`).pods.find(({ record }) => record.uid === uid)?.reason).toBe(reason);
});
