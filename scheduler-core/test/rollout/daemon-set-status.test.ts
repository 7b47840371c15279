// Proves the counters of a DaemonSet (rules 24 to 27).
import {
  countNode,
  daemonSetStatus,
  noCounts,
  type StatusNode,
  type StatusPod,
} from '@fleetset/scheduler-core/rollout/daemon-set-status';
import { describe, expect, test } from 'vitest';

const pod = (text: string): StatusPod => {
  const [revision = '', ...words] = text.split(' ');
  const available = words.includes('available');
  return { revision, available, ready: available || words.includes('ready') };
};
const node = (decision: StatusNode['decision'], ...pods: string[]): StatusNode => ({
  decision,
  pods: pods.map(pod),
});

const counted = (nodes: readonly StatusNode[]) => {
  const counts = noCounts();
  for (const one of nodes) countNode(counts, one, 1);
  return counts;
};

const ZERO = { currentNumberScheduled: 0, desiredNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0 };

describe('the counters of', () => {
  test.each<[string, StatusNode[], object]>([
    ['no nodes', [], ZERO],
    [
      'one node that has no pod yet',
      [node('Run')],
      { ...ZERO, desiredNumberScheduled: 1, numberUnavailable: 1 },
    ],
    [
      'one node, all well',
      [node('Run', 'new available')],
      {
        ...ZERO,
        desiredNumberScheduled: 1,
        currentNumberScheduled: 1,
        numberReady: 1,
        numberAvailable: 1,
        updatedNumberScheduled: 1,
      },
    ],
    [
      'rule 26: ready, and not yet for long enough',
      [node('Run', 'new ready')],
      {
        ...ZERO,
        desiredNumberScheduled: 1,
        currentNumberScheduled: 1,
        numberReady: 1,
        numberUnavailable: 1,
        updatedNumberScheduled: 1,
      },
    ],
    [
      'rule 25: two pods: the oldest counts, not the better one',
      [node('Run', 'old', 'new available')],
      { ...ZERO, desiredNumberScheduled: 1, currentNumberScheduled: 1, numberUnavailable: 1 },
    ],
    [
      'rule 49: a pod is updated by its hash',
      [node('Run', 'old available')],
      {
        ...ZERO,
        desiredNumberScheduled: 1,
        currentNumberScheduled: 1,
        numberReady: 1,
        numberAvailable: 1,
      },
    ],
    [
      'rule 24: nodes that should not run it: misscheduled where there is a pod',
      [node('Keep', 'new available'), node('Leave', 'old'), node('Keep'), node('Leave')],
      { ...ZERO, numberMisscheduled: 2 },
    ],
    [
      'a fleet in the middle of an update',
      [
        node('Run', 'new available'),
        node('Run', 'new'),
        node('Run', 'old available'),
        node('Run'),
        node('Keep', 'old'),
      ],
      {
        desiredNumberScheduled: 4,
        currentNumberScheduled: 3,
        numberMisscheduled: 1,
        numberReady: 2,
        numberAvailable: 2,
        numberUnavailable: 2,
        updatedNumberScheduled: 2,
      },
    ],
  ])('%s', (_sentence, nodes, expected) => {
    expect(daemonSetStatus(counted(nodes), 'new', 7, undefined)).toEqual({
      ...expected,
      observedGeneration: 7,
    });
  });
});

test('rule 29: collisions and conditions are carried on', () => {
  const conditions = [{ type: 'A', status: 'True' }];
  const previous = { ...ZERO, collisionCount: 2, conditions, numberAvailable: 9, numberUnavailable: 9 };
  expect(daemonSetStatus(noCounts(), 'new', 1, previous)).toEqual({
    ...ZERO,
    observedGeneration: 1,
    collisionCount: 2,
    conditions,
  });
});
