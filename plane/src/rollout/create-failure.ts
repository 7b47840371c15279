// Pods that a DaemonSet should have and that may not be made, told as Kubernetes' controllers tell it.

import { restingWithout } from '@fleetset/scheduler-core/rollout/resting-nodes';
import type { RolloutEvent } from '@fleetset/scheduler-core/rollout/rollout-condition';
import type { DaemonSetStatus } from '@fleetset/scheduler-core/schema/daemon-set';
import type { SetViews } from './node-views.ts';
import type { StoredSet } from './stored-set.ts';

export interface CreateFailure {
  readonly condition: NonNullable<DaemonSetStatus['conditions']>[number];
  /** None when this was told before. */
  readonly events: readonly RolloutEvent[];
}

/** `refusal`: why no pod of the target may be made; undefined where one may, or where every node has its own. */
export function createFailure(
  { metadata, status }: StoredSet,
  views: SetViews,
  target: string,
  refusal: string | undefined,
  nowText: string,
): CreateFailure | undefined {
  if (refusal === undefined || !lacksPods(views, target)) return undefined;
  const before = status?.conditions?.find(({ type }) => type === 'ReplicaFailure');
  const message = `pods "${metadata.name}-" is forbidden: ${refusal}`;
  const condition = {
    type: 'ReplicaFailure',
    status: 'True',
    reason: 'FailedCreate',
    message,
    lastTransitionTime: before?.lastTransitionTime ?? nowText,
  };
  const event = { type: 'Warning', reason: 'FailedCreate', message: `Error creating: ${message}` } as const;
  return { condition, events: before?.message === message ? [] : [event] };
}

const lacksPods = (views: SetViews, target: string): boolean =>
  restingWithout(views, target) > 0 ||
  views.nodes.some(({ decision, lost, pod }) => decision === 'Run' && !lost && pod?.revision !== target);
