// Takes in what agents report: the Node's own labels, taints and status, the mirror of its pods, its events,
// and the end of deletions. One report of a node at a time; of several that wait only the newest counts.

import type { AgentEvent, NodeFacts, NodeReport, PodReport } from '@fleetset/proto/gen/fleetset/v1/node';
import { sameJson } from '@fleetset/scheduler-core/canonical-json';
import { revisionHash } from '@fleetset/scheduler-core/revision-history';
import { isRecord } from '@fleetset/scheduler-core/schema/decode';
import type { Node, NodeStatus } from '@fleetset/scheduler-core/schema/node';
import type { EventInput, EventRecorder, EventSubject } from '../events/event-recorder.ts';
import type { KubeObject } from '../kinds/kind.ts';
import type { StoredRevision } from '../rollout/daemon-set-pass.ts';
import { type Store, StoreFailure, type Write } from '../store/store.ts';
import { mergedConditions, withOwn } from './compose-node.ts';
import { composePod } from './compose-pod.ts';
import { type Fleet, indexPods, isBehind, type NodeState } from './fleet.ts';
import { NODE_RECORDS, type NodeRecord, nodeRecord } from './node-record.ts';
import { ownFacts } from './own-facts.ts';
import { dropTombstone, isForgotten, tombstonesOf } from './tombstones.ts';

const NODES = 'core/nodes';
const PODS = 'core/pods';

export interface ReportIntakeParts {
  readonly store: Store;
  readonly fleet: Fleet;
  readonly recorder: EventRecorder;
  readonly nowText: () => string;
  /** The report has been taken in. `daemonSetUids`: those that had a pod there before. */
  readonly onTaken: (nodeName: string, daemonSetUids: Iterable<string>) => void;
  readonly onFailure: (error: unknown, nodeName: string) => void;
}

export interface ReportIntake {
  readonly take: (nodeName: string, report: NodeReport) => void;
  /** The node is no longer part of the fleet: its pods vanish from the mirror. */
  readonly forget: (nodeName: string) => Promise<void>;
  readonly close: () => void;
}

/** An agent says only what is new: what the store could not write has to be tried again here. */
const RETRY_MS = 1000;

export function createReportIntake(parts: ReportIntakeParts): ReportIntake {
  const waiting = new Map<string, NodeReport>();
  const busy = new Set<string>();
  const retries = new Map<string, NodeJS.Timeout>();
  const podsOf = followPodsByNode(parts.store);

  const run = async (nodeName: string) => {
    busy.add(nodeName);
    for (let report = waiting.get(nodeName); report; report = waiting.get(nodeName)) {
      waiting.delete(nodeName);
      try {
        const before = parts.fleet.get(nodeName)?.podsBySet.keys() ?? [];
        await takeReport(parts, () => podsOf(nodeName), nodeName, report);
        parts.onTaken(nodeName, before);
      } catch (error) {
        parts.onFailure(error, nodeName);
        if (error instanceof StoreFailure) retryLater(nodeName, report);
      }
    }
    busy.delete(nodeName);
  };

  const retryLater = (nodeName: string, report: NodeReport) => {
    clearTimeout(retries.get(nodeName));
    const again = () => {
      retries.delete(nodeName);
      // A newer report says all that this one did.
      if (parts.fleet.get(nodeName)?.report === report) take(nodeName, report);
    };
    retries.set(nodeName, setTimeout(again, RETRY_MS));
  };

  const take = (nodeName: string, report: NodeReport) => {
    const before = waiting.get(nodeName);
    waiting.set(nodeName, before ? { ...report, events: [...before.events, ...report.events] } : report);
    if (!busy.has(nodeName)) void run(nodeName);
  };

  return {
    take,
    forget: async (nodeName) => {
      waiting.delete(nodeName);
      await dropPods(parts.store, podsOf(nodeName));
    },
    close: () => {
      for (const timer of retries.values()) clearTimeout(timer);
    },
  };
}

async function dropPods(store: Store, ids: ReadonlySet<string>): Promise<void> {
  const writes = [...ids].map((id): Write => ({ collection: PODS, id, durable: false }));
  if (writes.length > 0) await store.commit(writes);
}

/** Ids of the mirrored pods of each node. */
function followPodsByNode(store: Store): (nodeName: string) => ReadonlySet<string> {
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

async function takeReport(
  parts: ReportIntakeParts,
  mirrored: () => ReadonlySet<string>,
  nodeName: string,
  report: NodeReport,
): Promise<void> {
  const { store, fleet } = parts;
  if (!nodeRecord(store, nodeName)) return;
  const state = fleet.state(nodeName);
  state.report = report;
  state.podsBySet = indexPods(report.pods);
  state.reported = true;
  if (report.facts) await takeFacts(parts, nodeName, report.facts);
  const pods = mirrorPods(parts, mirrored(), nodeName, report.pods);
  const done = finishedTombstones(store, state, report);
  const writes = [...pods.writes, ...done];
  if (writes.length > 0) await store.commit(writes);
  // Removed while this was under way: what was just put there must not stay.
  if (!nodeRecord(store, nodeName)) return dropPods(store, mirrored());
  for (const event of pods.events) parts.recorder.record(event);
  const shown = idsByUid(store, mirrored());
  for (const event of report.events) recordAgentEvent(parts, nodeName, event, shown);
}

/** Own labels and taints are kept on disk with the Node; its status is not. Tried again when it changed meanwhile. */
async function takeFacts(parts: ReportIntakeParts, nodeName: string, facts: NodeFacts): Promise<void> {
  const { store, nowText } = parts;
  const { own, refused } = ownFacts(facts);
  if (refused.length > 0) recordRefused(parts, nodeName, refused);
  for (;;) {
    const stored = store.get(NODES, nodeName);
    const record = nodeRecord(store, nodeName);
    if (!stored || !record) return;
    const node = stored.value as unknown as Node & { metadata: KubeObject['metadata'] };
    const ownChanged = !sameJson({ ownLabels: record.ownLabels, ownTaints: record.ownTaints }, own);
    const status = factsStatus(facts, node.status, nowText());
    if (!ownChanged && sameJson(status, node.status)) return;
    const merged = ownChanged
      ? withOwn(node.metadata.labels ?? {}, node.spec?.taints ?? [], record, own)
      : undefined;
    const { taints: _taints, ...spec } = node.spec ?? {};
    const value = {
      ...node,
      ...(merged
        ? {
            metadata: { ...node.metadata, labels: merged.labels },
            spec: { ...spec, ...(merged.taints.length > 0 ? { taints: merged.taints } : {}) },
          }
        : {}),
      status,
    };
    const nodeWrite: Write = {
      collection: NODES,
      id: nodeName,
      value: value as unknown as KubeObject,
      expect: stored.version,
      durable: ownChanged,
    };
    const recordWrite: Write = {
      collection: NODE_RECORDS,
      id: nodeName,
      value: { ...record, ...own } satisfies NodeRecord as never,
      durable: true,
    };
    const result = await store.commit(ownChanged ? [nodeWrite, recordWrite] : [nodeWrite]);
    if (result.committed) return;
  }
}

function recordRefused(
  { store, recorder }: ReportIntakeParts,
  nodeName: string,
  refused: readonly string[],
): void {
  recorder.record({
    subject: nodeSubject(store, nodeName),
    type: 'Warning',
    reason: 'NodeConfigurationRefused',
    message: `left out of what the node says of itself: ${refused.join(', ')}`,
    component: 'fleetset-plane',
  });
}

function factsStatus(facts: NodeFacts, before: NodeStatus | undefined, nowText: string): NodeStatus {
  const parsed: unknown = JSON.parse(facts.statusJson || '{}');
  const status = (isRecord(parsed) ? parsed : {}) as NodeStatus;
  return {
    ...status,
    conditions: mergedConditions(status.conditions ?? [], before?.conditions ?? [], nowText),
  };
}

function mirrorPods(
  { store, nowText }: ReportIntakeParts,
  mirrored: ReadonlySet<string>,
  nodeName: string,
  reports: readonly PodReport[],
): { writes: Write[]; events: EventInput[] } {
  const writes: Write[] = [];
  const events: EventInput[] = [];
  const seen = new Set<string>();
  const known = idsByUid(store, mirrored);
  for (const report of reports) {
    if (isForgotten(store, nodeName, report.uid)) continue;
    const id = known.get(report.uid) ?? freeId(store, mirrored, report);
    const before = known.has(report.uid) ? podAt(store, id) : undefined;
    seen.add(id);
    const revision = findRevision(store, report);
    const pod = composePod(report, nodeName, revision, before, nowText());
    const named = { ...pod, metadata: { ...pod.metadata, name: nameOf(id) } };
    const { resourceVersion, ...metadata } = before?.metadata ?? {};
    if (before && sameJson({ ...before, metadata }, named)) continue;
    writes.push({ collection: PODS, id, value: named, durable: false });
    if (!before) events.push(setEvent(report, 'SuccessfulCreate', `Created pod: ${nameOf(id)}`));
  }
  for (const id of mirrored) {
    if (seen.has(id)) continue;
    const gone = podAt(store, id);
    writes.push({ collection: PODS, id, durable: false });
    const owner = gone?.metadata.ownerReferences?.[0];
    if (gone && owner)
      events.push({
        subject: {
          kind: 'DaemonSet',
          apiVersion: 'apps/v1',
          namespace: gone.metadata.namespace ?? '',
          name: owner.name,
          uid: owner.uid,
        },
        type: 'Normal',
        reason: 'SuccessfulDelete',
        message: `Deleted pod: ${gone.metadata.name}`,
        component: 'daemonset-controller',
      });
  }
  return { writes, events };
}

const setEvent = (report: PodReport, reason: string, message: string): EventInput => ({
  subject: {
    kind: 'DaemonSet',
    apiVersion: 'apps/v1',
    namespace: report.namespace,
    name: report.daemonSetName,
    uid: report.daemonSetUid,
  },
  type: 'Normal',
  reason,
  message,
  component: 'daemonset-controller',
});

const podAt = (store: Store, id: string): KubeObject | undefined =>
  store.get(PODS, id)?.value as unknown as KubeObject | undefined;

const nameOf = (id: string): string => id.slice(id.indexOf('/') + 1);

/** A pod keeps the name it was first shown under. */
const idsByUid = (store: Store, mirrored: ReadonlySet<string>): ReadonlyMap<string, string> =>
  new Map([...mirrored].map((id) => [podAt(store, id)?.metadata.uid ?? '', id]));

/** Two nodes may choose the same name: the second is shown with a few letters of its uid. */
function freeId(store: Store, mirrored: ReadonlySet<string>, report: PodReport): string {
  const plain = `${report.namespace}/${report.name}`;
  // What is there from this node itself is on its way out: the report does not show it any more.
  const isFree = (id: string) => mirrored.has(id) || !podAt(store, id);
  return [plain, `${plain}-${report.uid.slice(0, 5)}`].find(isFree) ?? `${plain}-${report.uid}`;
}

function findRevision(store: Store, { namespace, daemonSetName, daemonSetUid, revision }: PodReport) {
  const id = `${namespace}/${daemonSetName}-${revision}`;
  const found = store.get('apps/controllerrevisions', id)?.value as unknown as StoredRevision | undefined;
  const owned = found?.metadata.ownerReferences?.some(({ uid }) => uid === daemonSetUid);
  return owned && revisionHash(found as StoredRevision) === revision ? found : undefined;
}

/** The node knows of the deletion and shows the pod no more. */
function finishedTombstones(store: Store, state: NodeState, report: NodeReport): Write[] {
  if (!state.told || isBehind(state)) return [];
  const shown = new Set(report.pods.map(({ uid }) => uid));
  return tombstonesOf(store, state.name)
    .filter(({ podUid }) => !shown.has(podUid))
    .map(({ podUid }) => dropTombstone(state.name, podUid));
}

function recordAgentEvent(
  { store, recorder }: ReportIntakeParts,
  nodeName: string,
  event: AgentEvent,
  shown: ReadonlyMap<string, string>,
): void {
  const subject = eventSubject(store, nodeName, event, shown);
  if (!subject) return;
  recorder.record({
    subject,
    type: event.type === 'Warning' ? 'Warning' : 'Normal',
    reason: event.reason,
    message: event.message,
    component: 'fleetset-agent',
    host: nodeName,
  });
}

/** `shown`: ids of the node's pods by uid. */
function eventSubject(
  store: Store,
  nodeName: string,
  event: AgentEvent,
  shown: ReadonlyMap<string, string>,
): EventSubject | undefined {
  if (event.podUid !== '') {
    const id = shown.get(event.podUid);
    if (!id) return undefined;
    return {
      kind: 'Pod',
      apiVersion: 'v1',
      namespace: id.slice(0, id.indexOf('/')),
      name: nameOf(id),
      uid: event.podUid,
      ...(event.fieldPath ? { fieldPath: event.fieldPath } : {}),
    };
  }
  if (event.daemonSetUid !== '') {
    for (const { value } of store.list('apps/daemonsets')) {
      const { metadata } = value as unknown as KubeObject;
      if (metadata.uid === event.daemonSetUid)
        return {
          kind: 'DaemonSet',
          apiVersion: 'apps/v1',
          namespace: metadata.namespace ?? '',
          name: metadata.name ?? '',
          uid: event.daemonSetUid,
        };
    }
    return undefined;
  }
  return nodeSubject(store, nodeName);
}

function nodeSubject(store: Store, name: string): EventSubject {
  const node = store.get(NODES, name)?.value as unknown as KubeObject | undefined;
  return { kind: 'Node', apiVersion: 'v1', name, uid: node?.metadata.uid ?? name };
}
