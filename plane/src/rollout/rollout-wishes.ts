// What people ask of one DaemonSet's rollout, with the policies that are stored.
import { type RolloutWishes, rolloutWishes } from '@fleetset/scheduler-core/rollout/rollout-wishes';
import type { DaemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import type { RolloutPolicy } from '@fleetset/scheduler-core/schema/rollout-policy';
import type { Store } from '../store/store.ts';

export const readWishes = (store: Store, daemonSet: DaemonSet, newest: string): RolloutWishes =>
  rolloutWishes(
    daemonSet,
    [...store.list('fleetset.dev/rolloutpolicies')].map(({ value }) => value as unknown as RolloutPolicy),
    newest,
  );
