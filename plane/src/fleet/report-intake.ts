// Takes in what agents report: the Node's own labels, taints and status, the mirror of its pods, its events,
// and the end of deletions. One report of a node at a time; of several that wait only the newest counts.

import type { NodeFacts, NodeReport, PodTombstone } from '@fleetset/proto/gen/fleetset/v1/node';
import { sameJson } from '@fleetset/scheduler-core/canonical-json';
import type { Node, NodeStatus } from '@fleetset/scheduler-core/schema/node';
import type { EventRecorder } from '../events/event-recorder.ts';
import type { KubeObject } from '../kinds/kind.ts';
import { type Store, StoreFailure, type Write } from '../store/store.ts';
import { nodeSubject, recordAgentEvent } from './agent-events.ts';
import { mergedConditions, withExtendedResources, withOwn } from './compose-node.ts';
import { type Fleet, isBehind, type NodeState, reportedChange } from './fleet.ts';
import { withKnownParts } from './known-parts.ts';
import { NODE_RECORDS, type NodeRecord, nodeRecord } from './node-record.ts';
import { ownFacts } from './own-facts.ts';
import { dropPods, idsByUid, type MirrorPlan, planMirror } from './pod-mirror.ts';
import { readNodeStatus } from './reported-status.ts';
import { dropTombstone, followTombstones } from './tombstones.ts';

const NODES = 'core/nodes';

export interface ReportIntakeParts {
  readonly store: Store;
  readonly fleet: Fleet;
  readonly recorder: EventRecorder;
  /** Ids of the mirrored pods of a node. */
  readonly podsOf: (nodeName: string) => ReadonlySet<string>;
  readonly nowText: () => string;
  /** The report has been taken in. */
  readonly onTaken: (nodeName: string) => void;
  readonly onFailure: (error: unknown, nodeName: string) => void;
}

export interface ReportIntake {
  readonly take: (nodeName: string, report: NodeReport) => void;
  /** The node is no longer part of the fleet: its pods vanish from the mirror. */
  readonly forget: (nodeName: string) => Promise<void>;
  /** Nothing more is taken in, nor tried again. */
  readonly close: () => void;
}

/** An agent says only what is new: what the store could not write has to be tried again here. */
const RETRY_MS = 1000;

export function createReportIntake(parts: ReportIntakeParts): ReportIntake {
  const waiting = new Map<string, NodeReport>();
  const busy = new Set<string>();
  const retries = new Map<string, NodeJS.Timeout>();
  const { podsOf } = parts;
  const tombstonesOf = followTombstones(parts.store);
  let closed = false;

  const run = async (nodeName: string) => {
    busy.add(nodeName);
    for (let next = waiting.get(nodeName); next; next = waiting.get(nodeName)) {
      waiting.delete(nodeName);
      const report = withKnownParts(next, parts.fleet.get(nodeName)?.report);
      try {
        await takeReport(parts, { mirrored: () => podsOf(nodeName), tombstonesOf }, nodeName, report);
        parts.onTaken(nodeName);
      } catch (error) {
        // The store of a plane that stops is closed.
        if (closed) break;
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
    if (closed) return;
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
      closed = true;
      waiting.clear();
      for (const timer of retries.values()) clearTimeout(timer);
    },
  };
}

interface KnownOfNode {
  /** Ids of the pods that are shown of it. */
  readonly mirrored: () => ReadonlySet<string>;
  readonly tombstonesOf: ReturnType<typeof followTombstones>;
}

async function takeReport(
  parts: ReportIntakeParts,
  known: KnownOfNode,
  nodeName: string,
  report: NodeReport,
): Promise<void> {
  const { store, fleet } = parts;
  const { mirrored } = known;
  if (!nodeRecord(store, nodeName)) return;
  const state = fleet.state(nodeName);
  // What a node shows first was there before this plane was: it is news to nobody else.
  const isFirst = state.report === undefined;
  fleet.change(nodeName, reportedChange(state, report));
  if (report.facts) await takeFacts(parts, nodeName, report.facts);
  const { events, created } = await takePods(parts, known, state, report);
  // Removed while this was under way: what was just put there must not stay.
  if (!nodeRecord(store, nodeName)) return dropPods(store, mirrored());
  for (const event of [...events, ...(isFirst ? [] : created)]) parts.recorder.record(event);
  const shown = idsByUid(store, mirrored());
  for (const event of report.events) recordAgentEvent(parts, nodeName, event, shown);
}

/** Answers what is to be told of it. Done again when somebody else, a deletion say, came between. */
async function takePods(
  { store, nowText }: ReportIntakeParts,
  { mirrored, tombstonesOf }: KnownOfNode,
  state: NodeState,
  report: NodeReport,
): Promise<MirrorPlan> {
  for (;;) {
    const plan = planMirror(store, mirrored(), state.name, report.pods, nowText());
    const all = [...plan.writes, ...finishedTombstones(tombstonesOf(state.name), state, report)];
    if (all.length === 0 || (await store.commit(all)).committed) return plan;
  }
}

/** Own labels and taints are kept on disk with the Node; its status is not. Tried again when it changed meanwhile. */
async function takeFacts(parts: ReportIntakeParts, nodeName: string, facts: NodeFacts): Promise<void> {
  const { store, nowText } = parts;
  const { own, refused } = ownFacts(facts);
  if (refused.length > 0)
    recordRefused(
      parts,
      nodeName,
      'NodeConfigurationRefused',
      `left out of what the node says of itself: ${refused.join(', ')}`,
    );
  const reported = readNodeStatus(facts);
  if ('problem' in reported)
    recordRefused(
      parts,
      nodeName,
      'NodeStatusRefused',
      `the status that the agent reports is left out: ${reported.problem}`,
    );
  for (;;) {
    const stored = store.get(NODES, nodeName);
    const record = nodeRecord(store, nodeName);
    if (!stored || !record) return;
    const node = stored.value as unknown as Node & { metadata: KubeObject['metadata'] };
    const ownChanged = !sameJson({ ownLabels: record.ownLabels, ownTaints: record.ownTaints }, own);
    const status = 'status' in reported ? withOthers(reported.status, node.status, nowText()) : node.status;
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
      ...(status ? { status } : {}),
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
  reason: string,
  message: string,
): void {
  const subject = nodeSubject(store, nodeName);
  recorder.record({ subject, type: 'Warning', reason, message, component: 'fleetset-plane' });
}

const withOthers = (status: NodeStatus, before: NodeStatus | undefined, nowText: string): NodeStatus => ({
  ...withExtendedResources(status, before),
  conditions: mergedConditions(status.conditions ?? [], before?.conditions ?? [], nowText),
});

/** The node knows of the deletion and shows the pod no more. */
function finishedTombstones(
  tombstones: readonly PodTombstone[],
  state: NodeState,
  report: NodeReport,
): Write[] {
  if (!state.told || isBehind(state)) return [];
  const shown = new Set(report.pods.map(({ uid }) => uid));
  return tombstones
    .filter(({ podUid }) => !shown.has(podUid))
    .map(({ podUid }) => dropTombstone(state.name, podUid));
}
