// Proves what is read of a DaemonSet and the policies about one rollout.
import { rolloutWishes } from '@fleetset/scheduler-core/rollout/rollout-wishes';
import type { DaemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import { expect, test } from 'vitest';

const daemonSet = (minReadySeconds: number, annotations = {}) =>
  ({
    metadata: { name: 'web', namespace: 'default', annotations },
    spec: { minReadySeconds },
  }) as unknown as DaemonSet;

test('minReadySeconds comes on top of the progress deadline: no node is available sooner', () => {
  expect(rolloutWishes(daemonSet(600), [], 'two').pacing.progressDeadlineMs).toBe(1_200_000);
  expect(rolloutWishes(daemonSet(0), [], 'two').pacing.progressDeadlineMs).toBe(600_000);
});
