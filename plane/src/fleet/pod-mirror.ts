// The pods of a node as its report says: which Pod objects to write, which to remove, and what to tell of it. What is
// written expects what it was made from, so that a deletion or another node's pod is never overwritten.

import type { PodReport } from '@fleetset/proto/gen/fleetset/v1/node';
import { sameJson } from '@fleetset/scheduler-core/canonical-json';
import { revisionHash } from '@fleetset/scheduler-core/revision-history';
import type { PodStatus } from '@fleetset/scheduler-core/schema/pod';
import type { EventInput } from '../events/event-recorder.ts';
import type { KubeObject } from '../kinds/kind.ts';
import type { StoredRevision } from '../rollout/stored-set.ts';
import type { Store, Write } from '../store/store.ts';
import { daemonSetSubject, podSubject } from './agent-events.ts';
import { composePod, type PodOwner } from './compose-pod.ts';
import { orphanedSet } from './orphans.ts';
import { readPodStatus } from './reported-status.ts';
import { isForgotten } from './tombstones.ts';

const PODS = 'core/pods';

export interface MirrorPlan {
  readonly writes: readonly Write[];
  /** To be recorded once the writes are in. */
  readonly events: readonly EventInput[];
  /** Of pods that were not shown before: new ones, or such as this plane has not known yet. */
  readonly created: readonly EventInput[];
}

/** Ids of the mirrored pods of each node. */
export function followPodsByNode(store: Store): (nodeName: string) => ReadonlySet<string> {
  const byNode = new Map<string, Set<string>>();
  const nodeOf = (value: unknown) =>
    ((value as KubeObject).spec as { nodeName?: string } | undefined)?.nodeName ?? '';
  const put = (id: string, value: unknown) => {
    const ids = byNode.get(nodeOf(value)) ?? new Set();
    ids.add(id);
    byNode.set(nodeOf(value), ids);
  };
  for (const { id, value } of store.list(PODS)) put(id, value);
  store.watch(PODS, store.version(), ({ id, value, previous }) => {
    const ids = previous && byNode.get(nodeOf(previous));
    ids?.delete(id);
    if (previous && ids?.size === 0) byNode.delete(nodeOf(previous));
    if (value) put(id, value);
  });
  return (nodeName) => byNode.get(nodeName) ?? new Set();
}

export async function dropPods(store: Store, ids: ReadonlySet<string>): Promise<void> {
  const writes = [...ids].map((id): Write => ({ collection: PODS, id, durable: false }));
  if (writes.length > 0) await store.commit(writes);
}

/** `mirrored`: what is shown of the node now. */
export function planMirror(
  store: Store,
  mirrored: ReadonlySet<string>,
  nodeName: string,
  reports: readonly PodReport[],
  nowText: string,
): MirrorPlan {
  const writes: Write[] = [];
  const events: EventInput[] = [];
  const created: EventInput[] = [];
  const ids = chooseIds(store, mirrored, nodeName, reports);
  for (const [report, id] of ids) {
    const stored = store.get(PODS, id);
    const there = stored?.value as unknown as KubeObject | undefined;
    const before = there?.metadata.uid === report.uid ? there : undefined;
    const { status, problem } = statusOf(report, before);
    if (problem) events.push(refusedStatus(id, report.uid, problem));
    const owner = ownerOf(store, report);
    const pod = composePod(report, nodeName, owner, findRevision(store, report), before, status, nowText);
    const named = { ...pod, metadata: { ...pod.metadata, name: nameOf(id) } };
    const { resourceVersion, ...metadata } = before?.metadata ?? {};
    if (before && sameJson({ ...before, metadata }, named)) continue;
    writes.push({
      collection: PODS,
      id,
      value: named,
      expect: stored?.version ?? 'absent',
      durable: false,
    });
    if (!before && owner) created.push(createdPod(report, owner, id), scheduledPod(report, nodeName, id));
  }
  const kept = new Set(ids.values());
  for (const id of mirrored) {
    const gone = kept.has(id) ? undefined : store.get(PODS, id);
    if (!gone) continue;
    writes.push({ collection: PODS, id, durable: false });
    events.push(...deletedPod(gone.value as unknown as KubeObject));
  }
  return { writes, events, created };
}

/** Ids of the node's pods by their uids. */
export const idsByUid = (store: Store, mirrored: ReadonlySet<string>): ReadonlyMap<string, string> =>
  new Map([...mirrored].map((id) => [podAt(store, id)?.metadata.uid ?? '', id]));

/** Under which id each reported pod is shown. One keeps the name it was first shown under. */
function chooseIds(
  store: Store,
  mirrored: ReadonlySet<string>,
  nodeName: string,
  reports: readonly PodReport[],
): ReadonlyMap<PodReport, string> {
  const shown = reports.filter(({ uid }) => !isForgotten(store, nodeName, uid));
  const known = idsByUid(store, mirrored);
  const taken = new Set(shown.map(({ uid }) => known.get(uid)));
  const ids = new Map<PodReport, string>();
  for (const report of shown) {
    const id = known.get(report.uid) ?? freeId(store, mirrored, taken, report);
    taken.add(id);
    ids.set(report, id);
  }
  return ids;
}

/** Two nodes may choose the same name: the second is shown with a few letters of its uid. */
function freeId(
  store: Store,
  mirrored: ReadonlySet<string>,
  taken: ReadonlySet<string | undefined>,
  report: PodReport,
): string {
  const plain = `${report.namespace}/${report.name}`;
  // What is there from this node itself, and is not reported any more, is on its way out.
  const isFree = (id: string) => !taken.has(id) && (mirrored.has(id) || !podAt(store, id));
  return [plain, `${plain}-${report.uid.slice(0, 5)}`].find(isFree) ?? `${plain}-${report.uid}`;
}

/** A status that is refused leaves the one that was there. */
function statusOf(report: PodReport, before: KubeObject | undefined) {
  const read = readPodStatus(report);
  if ('status' in read) return { status: read.status, problem: undefined };
  return { status: (before?.status ?? {}) as PodStatus, problem: read.problem };
}

const refusedStatus = (id: string, uid: string, problem: string): EventInput => ({
  subject: podSubject(id, uid),
  type: 'Warning',
  reason: 'PodStatusRefused',
  message: `the status that the agent reports is left out: ${problem}`,
  component: 'fleetset-plane',
});

const createdPod = ({ namespace }: PodReport, { name, uid }: PodOwner, id: string): EventInput => ({
  subject: daemonSetSubject(namespace, name, uid),
  type: 'Normal',
  reason: 'SuccessfulCreate',
  message: `Created pod: ${nameOf(id)}`,
  component: 'daemonset-controller',
});

/** Each is born on its node; people look for this all the same. */
const scheduledPod = ({ uid }: PodReport, nodeName: string, id: string): EventInput => ({
  subject: podSubject(id, uid),
  type: 'Normal',
  reason: 'Scheduled',
  message: `Successfully assigned ${id} to ${nodeName}`,
  component: 'default-scheduler',
});

function deletedPod({ metadata }: KubeObject): EventInput[] {
  const owner = metadata.ownerReferences?.[0];
  if (!owner) return [];
  return [
    {
      subject: daemonSetSubject(metadata.namespace ?? '', owner.name, owner.uid),
      type: 'Normal',
      reason: 'SuccessfulDelete',
      message: `Deleted pod: ${metadata.name}`,
      component: 'daemonset-controller',
    },
  ];
}

const podAt = (store: Store, id: string): KubeObject | undefined =>
  store.get(PODS, id)?.value as unknown as KubeObject | undefined;

const nameOf = (id: string): string => id.slice(id.indexOf('/') + 1);

/** A DaemonSet that was deleted without its pods owns none; what took them over does, before its nodes say so too. */
function ownerOf(store: Store, { daemonSetUid, daemonSetName }: PodReport): PodOwner | undefined {
  const orphaned = orphanedSet(store, daemonSetUid);
  return orphaned ? orphaned.adopter : { uid: daemonSetUid, name: daemonSetName };
}

const REVISIONS = 'apps/controllerrevisions';

/** By its name; one that was taken over has that of its first owner. */
function findRevision(store: Store, report: PodReport): StoredRevision | undefined {
  const { namespace, daemonSetName, daemonSetUid, revision } = report;
  const orphaned = orphanedSet(store, daemonSetUid);
  /** Of a set that was left behind nobody's, or of what took it over: a node must not be shown what another's is. */
  const isIts = ({ ownerReferences = [] }: StoredRevision['metadata']) =>
    ownerReferences.some(({ uid }) => uid === daemonSetUid || uid === orphaned?.adopter?.uid) ||
    (orphaned !== undefined && ownerReferences.length === 0);
  const fits = (found: StoredRevision) =>
    found.metadata.namespace === namespace && revisionHash(found) === revision && isIts(found.metadata);
  const named = store.get(REVISIONS, `${namespace}/${daemonSetName}-${revision}`)?.value;
  if (named && fits(named as unknown as StoredRevision)) return named as unknown as StoredRevision;
  for (const { value } of store.list(REVISIONS))
    if (fits(value as unknown as StoredRevision)) return value as unknown as StoredRevision;
  return undefined;
}
