// Placements, made from what agents decided and the last plan of each DaemonSet.
import type { Maintenance } from '@fleetset/proto/gen/fleetset/v1/node';
import { holdText } from '@fleetset/scheduler-core/node/hold';
import { decidePlacement } from '@fleetset/scheduler-core/placement';
import { nodeStanding } from '@fleetset/scheduler-core/rollout/node-standing';
import { targetOf } from '@fleetset/scheduler-core/rollout/rollout-record';
import { updateStrategyOf } from '@fleetset/scheduler-core/rollout/update-strategy';
import type { Node } from '@fleetset/scheduler-core/schema/node';
import { revisionRefusal } from '../admission/pod-security.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { adoptedBy, podsOfSet } from '../fleet/orphans.ts';
import type { KubeObject } from '../kinds/kind.ts';
import type { Placement } from '../kinds/placement-kind.ts';
import { closureAt, nodeMaintenance } from '../maintenance/node-maintenance.ts';
import type { Store } from '../store/store.ts';
import type { SetPlan } from './daemon-set-pass.ts';
import type { GrantBook } from './grants.ts';
import { isSameRules, rulesOf } from './placement-rules.ts';
import type { RolloutRecords } from './rollout-records.ts';
import { readWishes } from './rollout-wishes.ts';
import type { StoredSet } from './stored-set.ts';

export interface PlacementSources {
  readonly store: Store;
  readonly fleet: Fleet;
  readonly grants: GrantBook;
  readonly planOf: (daemonSetUid: string) => SetPlan | undefined;
  readonly newestOf: (daemonSet: StoredSet) => string | undefined;
  readonly records: RolloutRecords;
  readonly nowText: () => string;
}

export interface Placements extends Iterable<KubeObject> {
  /** By `DAEMONSET.NODE`; only this one is made. */
  readonly find: (name: string) => KubeObject | undefined;
}

/** `namespace`: undefined for all. */
export const placements = (sources: PlacementSources, namespace: string | undefined): Placements => ({
  [Symbol.iterator]: () => allOf(sources, namespace),
  find: (name) => findByName(sources, namespace ?? '', name),
});

function* allOf(sources: PlacementSources, namespace: string | undefined): Iterator<KubeObject> {
  for (const { value } of sources.store.list('apps/daemonsets')) {
    const daemonSet = value as unknown as StoredSet;
    if (namespace !== undefined && daemonSet.metadata.namespace !== namespace) continue;
    const make = placementsOf(sources, daemonSet);
    for (const stored of sources.store.list('core/nodes')) yield make(stored.value as unknown as Node);
  }
}

/** Both names may have dots. */
function findByName({ store, ...rest }: PlacementSources, namespace: string, name: string) {
  for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
    const set = store.get('apps/daemonsets', `${namespace}/${name.slice(0, dot)}`);
    const node = set && store.get('core/nodes', name.slice(dot + 1));
    if (node)
      return placementsOf(
        { store, ...rest },
        set.value as unknown as StoredSet,
      )(node.value as unknown as Node);
  }
  return undefined;
}

const shownMaintenance = ({ timeZone, ownWindows }: Maintenance) => ({
  timeZone,
  ...(ownWindows ? { windows: ownWindows.windows } : {}),
});

/** What is the same for all nodes is looked up once. */
function placementsOf(sources: PlacementSources, daemonSet: StoredSet): (node: Node) => KubeObject {
  const { name = '', namespace = '', uid = '' } = daemonSet.metadata;
  const rules = rulesOf(daemonSet);
  const newest = sources.newestOf(daemonSet);
  const grants = sources.grants.of(uid);
  const adopted = adoptedBy(sources.store, uid);
  // Under OnDelete it is of what was paced before.
  const record = updateStrategyOf(daemonSet).type === 'OnDelete' ? undefined : sources.records.of(uid);
  const target = record ? targetOf(record) : newest;
  const { windows } = readWishes(sources.store, daemonSet, newest ?? '').pacing;
  const closureOf = closureAt(windows, Date.parse(sources.nowText()));
  const plan = sources.planOf(uid);
  const waits = new Map(plan?.waits.map(({ node, reason }) => [node, reason]));
  const failure =
    record && record.newest === newest && target !== newest
      ? `revision ${newest} has failed: ${record.message}`
      : undefined;
  const refusalOf = (revision: string | undefined) =>
    revision === undefined ? undefined : revisionRefusal(sources.store, daemonSet, revision);
  return (node) => {
    const nodeName = node.metadata?.name ?? '';
    const state = sources.fleet.get(nodeName);
    // What it said by other rules is no answer to these.
    const current = isSameRules(state?.decidedBy?.get(uid), rules);
    const told = current ? state?.placements.get(uid) : undefined;
    const pods = (state ? podsOfSet(state, uid, adopted) : []).map(
      ({ name, revision, ready, available, terminating }) => ({
        name,
        revision,
        ready,
        available,
        terminating,
      }),
    );
    const labels = node.metadata?.labels ?? {};
    const computed = decidePlacement(rules, {
      name: nodeName,
      labels,
      taints: node.spec?.taints ?? [],
    });
    const decision = told?.decision || computed.decision;
    const granted = grants.get(nodeName);
    const refusal = decision === 'Run' && pods.length === 0 ? refusalOf(granted) : undefined;
    const waiting =
      waits.get(nodeName) ?? refusal ?? (decision === 'Run' && granted !== newest ? failure : undefined);
    const facts = state?.report?.facts;
    const held = holdText(facts?.holds ?? []);
    const closed = closureOf(labels, nodeMaintenance(facts?.maintenance)).reason;
    const standing =
      decision === 'Run'
        ? nodeStanding({
            target,
            granted,
            lost: state?.lost ?? false,
            failedWith: record?.failures[nodeName] === undefined ? undefined : record.newest,
            pods,
          })
        : undefined;
    const late = standing === undefined || standing === 'Updated' ? undefined : plan?.late;
    const placement: Placement = {
      apiVersion: 'fleetset.dev/v1',
      kind: 'Placement',
      metadata: { name: `${name}.${nodeName}`, namespace, uid: `${uid}.${nodeName}` },
      spec: { nodeName, daemonSetName: name },
      status: {
        decision,
        decidedBy: told ? 'Agent' : 'Plane',
        reasons: (told?.reasons ?? computed.reasons).map(({ code, message }) => ({ code, message })),
        ...(granted === undefined ? {} : { grantedRevision: granted }),
        ...(newest === undefined ? {} : { newestRevision: newest }),
        ...(standing === undefined ? {} : { state: standing }),
        pods,
        ...(held === undefined ? {} : { held }),
        ...(closed === undefined ? {} : { closed }),
        ...(facts?.maintenance ? { maintenance: shownMaintenance(facts.maintenance) } : {}),
        ...(waiting === undefined ? {} : { waiting }),
        ...(late === undefined ? {} : { late }),
        ...(told?.progress ? { progress: told.progress } : {}),
      },
    };
    return placement as unknown as KubeObject;
  };
}
