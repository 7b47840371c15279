// What agents say over their streams: who may open one, and where each message goes.

import type {
  AgentEvent,
  BodiesWanted,
  DesiredRefused,
  Generation,
  Hello,
  SyncRequest,
} from '@fleetset/proto/gen/fleetset/v1/node';
import { DesiredRefused_Reason } from '@fleetset/proto/gen/fleetset/v1/node';
import type { Node } from '@fleetset/scheduler-core/schema/node';
import { status } from '@grpc/grpc-js';
import type { EventRecorder } from '../events/event-recorder.ts';
import { readyCondition } from '../fleet/compose-node.ts';
import type { Fleet, NodeChange, NodeState, Session } from '../fleet/fleet.ts';
import type { NodeLeases } from '../fleet/node-leases.ts';
import { nodeRecord, REMOVED_KEYS } from '../fleet/node-record.ts';
import type { PodTokens } from '../fleet/pod-tokens.ts';
import type { ReportIntake } from '../fleet/report-intake.ts';
import type { UsageBook } from '../fleet/usage-book.ts';
import type { BodyBook } from '../rollout/body-book.ts';
import type { PrePulls } from '../rollout/pre-pulls.ts';
import { sendBodies } from '../rollout/send-bodies.ts';
import type { Store } from '../store/store.ts';
import type { Peer } from './peer-identity.ts';

export const PROTOCOL = 1;

export interface SyncSessionsParts {
  readonly store: Store;
  readonly fleet: Fleet;
  readonly intake: ReportIntake;
  readonly bodies: BodyBook;
  readonly usage: Pick<UsageBook, 'take'>;
  readonly prePulls: Pick<PrePulls, 'heard'>;
  readonly podTokens: Pick<PodTokens, 'want'>;
  readonly leases: NodeLeases;
  readonly recorder: EventRecorder;
  readonly version: string;
  readonly heartbeatMs: number;
  readonly monotonicNow: () => number;
  /** It has not been told anything yet. */
  readonly onHello: (nodeName: string, hello: Hello) => void;
  /** The node connected, or left. */
  readonly onPresence: (nodeName: string) => void;
  readonly onRefusal: (nodeName: string, why: string) => void;
}

export interface SyncSessions {
  /** Undefined when the peer was turned away; the session's end has been called then. */
  readonly admit: (peer: Peer, hello: Hello, session: Session) => boolean;
  readonly receive: (session: Session, message: NonNullable<SyncRequest['message']>) => void;
  readonly left: (session: Session) => void;
}

export function createSyncSessions(parts: SyncSessionsParts): SyncSessions {
  const { store, fleet, intake, bodies } = parts;

  const heard = (nodeName: string) => {
    const state = fleet.state(nodeName);
    state.heardAt = parts.monotonicNow();
    parts.leases.heard(nodeName);
    const node = store.get('core/nodes', nodeName)?.value as Node | undefined;
    // It was called silent and has nothing new to say: what it said last counts again.
    if (state.reported && state.report && readyCondition(node?.status)?.status === 'Unknown')
      intake.take(nodeName, { ...state.report, events: [] });
  };

  return {
    admit: (peer, hello, session) => {
      const refusal = refuse(parts, peer, hello, session);
      if (refusal) {
        parts.onRefusal(peer.nodeName, refusal.message);
        session.end(refusal.code, refusal.message);
        return false;
      }
      const state = fleet.state(peer.nodeName);
      const before = state.session;
      fleet.change(peer.nodeName, {
        session,
        reported: false,
        ...startAfter(state, hello.accepted, store.epoch),
      });
      state.heardAt = parts.monotonicNow();
      parts.leases.heard(peer.nodeName);
      delete state.contender;
      before?.end(status.ABORTED, 'the agent connected anew');
      session.send({
        $case: 'welcome',
        value: { protocol: PROTOCOL, planeVersion: parts.version, heartbeatMs: parts.heartbeatMs },
      });
      parts.onHello(peer.nodeName, hello);
      parts.onPresence(peer.nodeName);
      return true;
    },
    receive: (session, message) => {
      if (fleet.get(session.nodeName)?.session !== session) return;
      heard(session.nodeName);
      switch (message.$case) {
        case 'report':
          return intake.take(session.nodeName, {
            ...message.value,
            events: newEvents(fleet.state(session.nodeName), session, message.value.events),
          });
        case 'usage':
          return parts.usage.take(session, message.value);
        case 'prePullState':
          return parts.prePulls.heard(session, message.value);
        case 'bodiesWanted':
          return sendWanted(bodies, fleet.state(session.nodeName), session, message.value);
        case 'tokenWanted':
          return parts.podTokens.want(session, message.value);
        case 'desiredRefused':
          return refusedDesired(parts, session, message.value);
        default:
          return;
      }
    },
    left: (session) => {
      const state = fleet.get(session.nodeName);
      if (state?.session !== session) return;
      fleet.change(session.nodeName, { session: undefined, reported: false });
      parts.onPresence(session.nodeName);
    },
  };
}

/** Generations only grow, also when this plane forgot how far it had counted for the node. */
function startAfter(state: NodeState, accepted: Generation | undefined, epoch: number): NodeChange {
  if (accepted?.epoch !== epoch || accepted.counter <= (state.told?.generation.counter ?? 0)) return {};
  return { told: { generation: accepted, content: undefined, bodies: [] } };
}

/** An event that comes again, because the agent cannot know whether it arrived, is counted once. */
function newEvents(state: NodeState, { instanceId }: Session, events: readonly AgentEvent[]): AgentEvent[] {
  const seen = state.eventsSeen?.instanceId === instanceId ? state.eventsSeen.sequence : 0;
  const sequence = Math.max(seen, ...events.map((event) => event.sequence));
  state.eventsSeen = { instanceId, sequence };
  return events.filter((event) => event.sequence === 0 || event.sequence > seen);
}

interface Refusal {
  readonly code: number;
  readonly message: string;
}

function refuse(parts: SyncSessionsParts, peer: Peer, hello: Hello, session: Session): Refusal | undefined {
  const { store, fleet } = parts;
  const removed = store.get(REMOVED_KEYS, peer.keyHash)?.value as { message?: string } | undefined;
  if (removed) {
    const message = removed.message ?? 'the node was removed from the fleet';
    session.send({ $case: 'removed', value: { message } });
    return { code: status.PERMISSION_DENIED, message };
  }
  if (hello.protocol < 1)
    return { code: status.FAILED_PRECONDITION, message: 'the agent speaks no known protocol' };
  const record = nodeRecord(store, peer.nodeName);
  if (!record)
    return {
      code: status.FAILED_PRECONDITION,
      message: `this plane does not know node ${peer.nodeName} (restored from an older backup?): join it again; its pods run on`,
    };
  if (record.keyHash !== peer.keyHash)
    return {
      code: status.PERMISSION_DENIED,
      message: `the name ${peer.nodeName} now belongs to a machine that joined with another key`,
    };
  const holder = fleet.get(peer.nodeName);
  if (holder?.session && holder.session.machineId !== hello.machineId) {
    const verdict = judgeContender(parts, holder, hello.machineId);
    if (verdict === 'replace') return undefined;
    if (verdict === 'wait')
      return {
        code: status.UNAVAILABLE,
        message: 'another session of this node is open: waiting to see whether it lives',
      };
    const message = `another machine is connected as node ${peer.nodeName} with the same certificate: two machines were cloned from one disk? Join one of them under another name`;
    recordNode(parts, peer.nodeName, 'DuplicateNode', message);
    return { code: status.ALREADY_EXISTS, message };
  }
  return undefined;
}

/** A machine that rebooted fast finds its old session still open; only a session that is heard again is alive. */
function judgeContender(
  { monotonicNow, heartbeatMs }: SyncSessionsParts,
  holder: NodeState,
  machineId: string,
): 'replace' | 'wait' | 'duplicate' {
  const now = monotonicNow();
  if (holder.contender?.machineId !== machineId) {
    holder.contender = { machineId, since: now };
    return 'wait';
  }
  if (holder.heardAt > holder.contender.since) return 'duplicate';
  return now - holder.contender.since > heartbeatMs * 1.5 ? 'replace' : 'wait';
}

function recordNode(
  { store, recorder }: SyncSessionsParts,
  name: string,
  reason: string,
  message: string,
): void {
  const node = store.get('core/nodes', name)?.value as { metadata?: { uid?: string } } | undefined;
  recorder.record({
    subject: { kind: 'Node', apiVersion: 'v1', name, uid: node?.metadata?.uid ?? name },
    type: 'Warning',
    reason,
    message,
    component: 'fleetset-plane',
  });
}

/** Nothing that the node was not told of: there are Secrets among the bodies. */
function sendWanted(bodies: BodyBook, { told }: NodeState, session: Session, { hashes }: BodiesWanted): void {
  const allowed = new Set(told?.bodies);
  sendBodies(
    bodies,
    session,
    hashes.filter((hash) => allowed.has(hash)),
  );
}

/** The agent goes on with what it has; people see why on the node. A new content brings a new generation. */
function refusedDesired(parts: SyncSessionsParts, { nodeName }: Session, refusal: DesiredRefused): void {
  const shown = (generation: DesiredRefused['refused']) =>
    generation ? `${generation.epoch}.${generation.counter}` : 'none';
  const why =
    Object.entries(DesiredRefused_Reason).find(([, value]) => value === refusal.reason)?.[0] ??
    'REASON_UNSPECIFIED';
  const message = `the agent refused desired state ${shown(refusal.refused)} and keeps ${shown(refusal.accepted)}: ${why.replace('REASON_', '').toLowerCase().replaceAll('_', ' ')}: ${refusal.message}`;
  recordNode(parts, nodeName, 'DesiredStateRefused', message);
  parts.onRefusal(nodeName, message);
}
