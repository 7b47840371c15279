// Rollouts, made from the last plan of each DaemonSet and what it rests on.
import { targetOf } from '@fleetset/scheduler-core/rollout/advance-rollout';
import { approvedWaves } from '@fleetset/scheduler-core/rollout/approval';
import { hasNothingToDo, NOTHING_TO_DO, SETTLING } from '@fleetset/scheduler-core/rollout/rollout-condition';
import type { RolloutRecord } from '@fleetset/scheduler-core/rollout/rollout-record';
import { updateStrategyOf } from '@fleetset/scheduler-core/rollout/update-strategy';
import { needsApproval } from '@fleetset/scheduler-core/rollout/waves';
import type { VirtualObjects } from '../api/resource-call.ts';
import type { KubeObject } from '../kinds/kind.ts';
import type { Rollout } from '../kinds/rollout-kind.ts';
import type { Store } from '../store/store.ts';
import type { SetPlan } from './daemon-set-pass.ts';
import type { PrePullStatus } from './pre-pulls.ts';
import type { RolloutRecords } from './rollout-records.ts';
import { readWishes } from './rollout-wishes.ts';
import type { StoredSet } from './stored-set.ts';

type Status = NonNullable<Rollout['status']>;

export interface RolloutSources {
  readonly store: Store;
  readonly records: RolloutRecords;
  readonly planOf: (daemonSetUid: string) => SetPlan | undefined;
  readonly prePullOf: (daemonSetUid: string) => PrePullStatus | undefined;
}

export const rollouts =
  (sources: RolloutSources): VirtualObjects =>
  (namespace) => {
    const { store } = sources;
    const make = (value: unknown) => rolloutOf(sources, value as StoredSet);
    return {
      *[Symbol.iterator]() {
        for (const { value } of store.list('apps/daemonsets'))
          if (namespace === undefined || (value as unknown as StoredSet).metadata.namespace === namespace)
            yield make(value);
      },
      find: (name) => {
        const set = store.get('apps/daemonsets', `${namespace}/${name}`);
        return set && make(set.value);
      },
    };
  };

type Verdict = Pick<Status, 'phase' | 'message'>;

/** A change that the plane has not looked at yet is under way. */
function notLookedAt({ metadata, status }: StoredSet, plan: SetPlan | undefined): Verdict | undefined {
  if (plan?.settling) return { phase: 'Progressing', message: SETTLING };
  if ((status?.observedGeneration ?? 0) < (metadata.generation ?? 1))
    return { phase: 'Progressing', message: 'its newest change has not been looked at yet' };
  return undefined;
}

const verdictOf = (record: RolloutRecord, plan: SetPlan | undefined): Verdict =>
  plan && hasNothingToDo(record, plan.nodes)
    ? { phase: 'Complete', message: NOTHING_TO_DO }
    : { phase: record.phase, message: record.message };

/** It has no end of its own but that all nodes have it. */
function verdictOnDelete({ status }: StoredSet, plan: SetPlan | undefined): Verdict {
  if (plan?.nodes === 0) return { phase: 'Complete', message: NOTHING_TO_DO };
  const { desiredNumberScheduled: desired, updatedNumberScheduled, numberAvailable } = status ?? {};
  return updatedNumberScheduled === desired && numberAvailable === desired
    ? { phase: 'Complete', message: '' }
    : { phase: 'OnDelete', message: 'a node gets the newest revision when somebody deletes its pod' };
}

/** What was paced before is not told: nothing of it is under way. */
const onDelete = (daemonSet: StoredSet, plan: SetPlan | undefined): Status => ({
  policy: 'updateStrategy OnDelete',
  paused: false,
  step: 0,
  closed: 0,
  failures: {},
  ...(notLookedAt(daemonSet, plan) ?? verdictOnDelete(daemonSet, plan)),
  ...(plan ? { newestRevision: plan.newest, targetRevision: plan.newest } : {}),
});

function rolloutOf(sources: RolloutSources, daemonSet: StoredSet): KubeObject {
  const { store, records } = sources;
  const { name = '', namespace = '', uid = '' } = daemonSet.metadata;
  const plan = sources.planOf(uid);
  const prePull = sources.prePullOf(uid);
  const rollout: Rollout = {
    apiVersion: 'fleetset.dev/v1',
    kind: 'Rollout',
    metadata: { name, namespace, uid: `${uid}.rollout` },
    spec: { daemonSetName: name },
    status: {
      ...(updateStrategyOf(daemonSet).type === 'OnDelete'
        ? onDelete(daemonSet, plan)
        : pacedStatus(store, daemonSet, records.of(uid), plan)),
      ...(prePull ? { prePull: { ...prePull, pulling: [...prePull.pulling] } } : {}),
    },
  };
  return rollout as unknown as KubeObject;
}

function pacedStatus(
  store: Store,
  daemonSet: StoredSet,
  record: RolloutRecord | undefined,
  plan: SetPlan | undefined,
): Status {
  const { pacing, approval } = readWishes(store, daemonSet, record?.newest ?? '');
  const wave = record && pacing.waves.length > 0 ? Math.min(record.wave, pacing.waves.length) : undefined;
  return {
    policy: pacing.source,
    paused: pacing.paused,
    ...(record
      ? {
          ...(notLookedAt(daemonSet, plan) ?? verdictOf(record, plan)),
          newestRevision: record.newest,
          targetRevision: targetOf(record),
          failures: record.failures,
          attempt: record.attempt,
          ...(record.stable === undefined ? {} : { stableRevision: record.stable }),
        }
      : {}),
    ...(wave === undefined
      ? { step: 0 }
      : {
          step: wave + 1,
          stepName: pacing.waves[wave]?.name ?? 'the rest',
          awaitsApproval:
            record?.phase === 'Progressing' &&
            needsApproval(pacing.waves, wave, approvedWaves(approval, record)),
        }),
    ...(plan
      ? {
          ...(plan.surge ?? { maxUnavailable: plan.maxUnavailable, unavailable: plan.unavailable }),
          closed: plan.closed,
        }
      : {}),
  };
}
