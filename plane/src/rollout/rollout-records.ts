// What is known of each DaemonSet's rollout: verdicts on disk, times in memory.
import type { RolloutRecord, RolloutTimes } from '@fleetset/scheduler-core/rollout/rollout-record';
import type { Store, Write } from '../store/store.ts';

const ROLLOUTS = 'fleetset/rollouts';

export interface RolloutRecords {
  readonly of: (daemonSetUid: string) => RolloutRecord | undefined;
  readonly timesOf: (daemonSetUid: string) => RolloutTimes | undefined;
  readonly setTimes: (daemonSetUid: string, times: RolloutTimes) => void;
  readonly forgetTimes: (daemonSetUid: string) => void;
}

export function openRolloutRecords(store: Store): RolloutRecords {
  const times = new Map<string, RolloutTimes>();
  return {
    of: (uid) => store.get(ROLLOUTS, uid)?.value as unknown as RolloutRecord | undefined,
    timesOf: (uid) => times.get(uid),
    setTimes: (uid, now) => times.set(uid, now),
    forgetTimes: (uid) => times.delete(uid),
  };
}

export const putRecord = (daemonSetUid: string, record: RolloutRecord): Write => ({
  collection: ROLLOUTS,
  id: daemonSetUid,
  value: { ...record },
  durable: true,
});

export const dropRecord = (daemonSetUid: string): Write => ({
  collection: ROLLOUTS,
  id: daemonSetUid,
  durable: true,
});
