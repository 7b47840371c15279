// Rollouts, made from the last plan of each DaemonSet and what it rests on.
import { targetOf } from '@fleetset/scheduler-core/rollout/advance-rollout';
import { hasNothingToDo, NOTHING_TO_DO, SETTLING } from '@fleetset/scheduler-core/rollout/rollout-condition';
import type { RolloutRecord } from '@fleetset/scheduler-core/rollout/rollout-record';
import { needsApproval } from '@fleetset/scheduler-core/rollout/waves';
import type { DaemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import type { VirtualObjects } from '../api/resource-routes.ts';
import type { KubeObject } from '../kinds/kind.ts';
import type { Rollout } from '../kinds/rollout-kind.ts';
import type { Store } from '../store/store.ts';
import type { SetPlan } from './daemon-set-pass.ts';
import type { RolloutRecords } from './rollout-records.ts';
import { readWishes } from './rollout-wishes.ts';

type StoredSet = DaemonSet & { readonly metadata: KubeObject['metadata'] };

export interface RolloutSources {
  readonly store: Store;
  readonly records: RolloutRecords;
  readonly planOf: (daemonSetUid: string) => SetPlan | undefined;
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

/** As people should read it: a change that the plane has not looked at yet is under way. */
function verdictOf({ metadata, status }: StoredSet, record: RolloutRecord, plan: SetPlan | undefined) {
  if (plan?.settling) return { phase: 'Progressing', message: SETTLING };
  if ((status?.observedGeneration ?? 0) < (metadata.generation ?? 1))
    return { phase: 'Progressing', message: 'its newest change has not been looked at yet' };
  return plan && hasNothingToDo(record, plan.nodes)
    ? { phase: 'Complete', message: NOTHING_TO_DO }
    : { phase: record.phase, message: record.message };
}

/** Under OnDelete there is no verdict, and nothing is paced. */
const byPeople = (plan: SetPlan | undefined) => ({
  phase: plan && plan.waits.length === 0 && plan.unavailable === 0 ? 'Complete' : 'Progressing',
  message: 'updateStrategy OnDelete: a node moves when its pod is deleted',
  ...(plan ? { newestRevision: plan.newest, targetRevision: plan.newest } : {}),
});

function rolloutOf({ store, records, planOf }: RolloutSources, daemonSet: StoredSet): KubeObject {
  const { name = '', namespace = '', uid = '' } = daemonSet.metadata;
  const record = records.of(uid);
  const plan = planOf(uid);
  const onDelete = daemonSet.spec?.updateStrategy?.type === 'OnDelete';
  const { pacing, approvedWaves } = readWishes(store, daemonSet, record?.newest ?? '');
  const wave =
    record && !onDelete && pacing.waves.length > 0 ? Math.min(record.wave, pacing.waves.length) : undefined;
  const rollout: Rollout = {
    apiVersion: 'fleetset.dev/v1',
    kind: 'Rollout',
    metadata: { name, namespace, uid: `${uid}.rollout` },
    spec: { daemonSetName: name },
    status: {
      policy: pacing.source,
      paused: pacing.paused,
      ...(onDelete ? byPeople(plan) : {}),
      ...(record && !onDelete
        ? {
            ...verdictOf(daemonSet, record, plan),
            newestRevision: record.newest,
            targetRevision: targetOf(record),
            failures: record.failures,
            ...(record.stable === undefined ? {} : { stableRevision: record.stable }),
          }
        : {}),
      ...(wave === undefined
        ? { step: 0 }
        : {
            step: wave + 1,
            stepName: pacing.waves[wave]?.name ?? 'the rest',
            awaitsApproval:
              record?.phase === 'Progressing' && needsApproval(pacing.waves, wave, approvedWaves),
          }),
      ...(plan
        ? {
            ...(plan.surge ?? { maxUnavailable: plan.maxUnavailable, unavailable: plan.unavailable }),
            closed: plan.closed,
          }
        : {}),
    },
  };
  return rollout as unknown as KubeObject;
}
