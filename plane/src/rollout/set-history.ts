// The history of one DaemonSet's templates: which revision is the newest, which are kept since they are in use, and what
// is written of it.
import { randomUUID } from 'node:crypto';
import { sameJson } from '@fleetset/scheduler-core/canonical-json';
import { withoutPin } from '@fleetset/scheduler-core/node/config-snapshot';
import { type HistoryPlan, planHistory, revisionData } from '@fleetset/scheduler-core/revision-history';
import type { RolloutRecord } from '@fleetset/scheduler-core/rollout/rollout-record';
import type { ControllerRevision, DaemonSetSpec } from '@fleetset/scheduler-core/schema/daemon-set';
import type { Fleet } from '../fleet/fleet.ts';
import { adoptedBy, podsOfSet } from '../fleet/orphans.ts';
import type { KubeObject } from '../kinds/kind.ts';
import type { Store, Write } from '../store/store.ts';
import type { ConfigRollout } from './config-rollouts.ts';
import type { StoredRevision, StoredSet } from './stored-set.ts';
import { CHANGE_CAUSE } from './verdict-note.ts';

/** Of the template with the config that its newest revision is to hold. */
export function historyOf(
  store: Store,
  daemonSet: StoredSet,
  revisions: readonly StoredRevision[],
  { decision, cause }: ConfigRollout,
  inUse: Pick<ReadonlySet<string>, 'has'>,
): HistoryPlan {
  const { template, adopt } = decision;
  const data = (revision: ControllerRevision) =>
    revision === adopt ? { ...revision, data: revisionData(template) } : revision;
  const { metadata } = daemonSet;
  const annotations =
    cause === undefined ? metadata.annotations : { ...metadata.annotations, [CHANGE_CAUSE]: cause };
  const wanted = {
    ...daemonSet,
    metadata: { ...metadata, ...(annotations ? { annotations } : {}) },
    spec: { ...(daemonSet.spec as DaemonSetSpec), template },
  };
  const plan = planHistory(wanted, revisions.map(data), inUse, (name) =>
    revisionNamed(store, daemonSet, name),
  );
  return adopt && plan.write === 'nothing' ? { ...plan, write: 'renumber' } : plan;
}

/** What people wrote and waits to settle is not observed yet: `kubectl rollout status` waits for it. */
export const observedGeneration = (
  { metadata, spec, status }: StoredSet,
  { decision }: ConfigRollout,
): number =>
  decision.settling && !sameJson(withoutPin(decision.template), withoutPin(spec?.template ?? {}))
    ? (status?.observedGeneration ?? 0)
    : (metadata.generation ?? 1);

/** Asked only of revisions that would be dropped otherwise. */
export function revisionsInUse(
  store: Store,
  fleet: Fleet,
  uid: string,
  grants: ReadonlyMap<string, string>,
  record: RolloutRecord | undefined,
): Pick<ReadonlySet<string>, 'has'> {
  const collect = () => {
    const used = new Set(grants.values());
    if (record?.stable !== undefined) used.add(record.stable);
    const adopted = adoptedBy(store, uid);
    for (const state of fleet.all())
      for (const { revision } of podsOfSet(state, uid, adopted)) used.add(revision);
    return used;
  };
  let used: ReadonlySet<string> | undefined;
  return {
    has: (revision) => {
      used ??= collect();
      return used.has(revision);
    },
  };
}

const revisionNamed = (store: Store, { metadata }: StoredSet, name: string): StoredRevision | undefined =>
  store.get('apps/controllerrevisions', `${metadata.namespace}/${name}`)?.value as StoredRevision | undefined;

export function historyWrites(
  { current, write, remove }: ReturnType<typeof planHistory>,
  nowText: string,
): Write[] {
  const collection = 'apps/controllerrevisions';
  const idOf = ({ metadata }: ControllerRevision) => `${metadata?.namespace}/${metadata?.name}`;
  const removals = remove.map((revision): Write => ({ collection, id: idOf(revision), durable: true }));
  if (write === 'nothing') return removals;
  const metadata =
    write === 'create'
      ? { ...current.metadata, uid: randomUUID(), creationTimestamp: nowText }
      : current.metadata;
  const value = { apiVersion: 'apps/v1', kind: 'ControllerRevision', ...current, metadata } as KubeObject;
  return [{ collection, id: idOf(current), value, durable: true }, ...removals];
}
