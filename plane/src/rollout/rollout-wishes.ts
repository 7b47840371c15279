// What people ask of one DaemonSet's rollout: its policy, and annotations that `fleetset rollout` writes.
import { choosePolicy } from '@fleetset/scheduler-core/rollout/choose-policy';
import { type Pacing, pacingOf } from '@fleetset/scheduler-core/rollout/pacing';
import type { DaemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import type { RolloutPolicy } from '@fleetset/scheduler-core/schema/rollout-policy';
import type { Store } from '../store/store.ts';

const PAUSED = 'fleetset.dev/paused';
/** "REVISION/COUNT": so many steps of this revision's rollout are approved. */
const APPROVED = 'fleetset.dev/approved-steps';
/** "REVISION/ANYTHING": another value than before asks for another try. */
const RETRY = 'fleetset.dev/retry';

export interface RolloutWishes {
  readonly pacing: Pacing;
  readonly approvedWaves: number;
  readonly retry?: string;
}

export function readWishes(store: Store, daemonSet: DaemonSet, newest: string): RolloutWishes {
  const { namespace = '', annotations = {} } = daemonSet.metadata ?? {};
  const policies = [...store.list('fleetset.dev/rolloutpolicies')].map(
    ({ value }) => value as unknown as RolloutPolicy,
  );
  const policy = choosePolicy(daemonSet, policies);
  const source = policy ? `RolloutPolicy ${namespace}/${policy.metadata?.name}` : 'the defaults';
  const pacing = pacingOf(source, policy?.spec);
  const paused = annotations[PAUSED] === 'true';
  const [revision, count] = (annotations[APPROVED] ?? '').split('/');
  const retry = annotations[RETRY];
  return {
    pacing: paused ? { ...pacing, paused, source: `the annotation ${PAUSED}` } : pacing,
    approvedWaves: revision === newest && /^\d+$/.test(count ?? '') ? Number(count) : 0,
    ...(retry?.startsWith(`${newest}/`) ? { retry } : {}),
  };
}
