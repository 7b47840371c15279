// What the plane knows of its nodes right now: who is connected, when each was heard, what each reported last.
// Memory only: the agents tell it again after a restart.
import type { Generation, NodeReport, PodReport, SyncResponse } from '@fleetset/proto/gen/fleetset/v1/node';

/** One agent's open stream. */
export interface Session {
  readonly nodeName: string;
  readonly instanceId: string;
  readonly machineId: string;
  readonly agentVersion: string;
  readonly send: (message: NonNullable<SyncResponse['message']>) => void;
  /** Ends the stream with a gRPC status and a message for the agent's log. */
  readonly end: (code: number, message: string) => void;
  /** Aborted when the stream is no more. */
  readonly gone: AbortSignal;
}

export interface NodeState {
  readonly name: string;
  session?: Session;
  /** The session's own report has come: `report` is what runs there now. */
  reported: boolean;
  report?: NodeReport;
  /** Another machine that says it is this node, and when it first said so. */
  contender?: { readonly machineId: string; readonly since: number };
  /** How far the events of an agent's run have been counted. */
  eventsSeen?: { readonly instanceId: string; readonly sequence: number };
  /** The last report's pods by DaemonSet uid, oldest first. */
  podsBySet: ReadonlyMap<string, readonly PodReport[]>;
  /** Silent for longer than the grace period, in this life of the plane: nothing is known of it. */
  lost: boolean;
  /** By the plane's monotonic clock. */
  heardAt: number;
  /** The last desired state given to the node in this life of the plane. */
  told?: {
    readonly generation: Generation;
    /** Encoded, without the generation; undefined when only the agent knows what it was. */
    readonly content: Buffer | undefined;
    /** Hashes of the bodies it names. */
    readonly bodies: readonly string[];
  };
  /** Whether the session has been sent `told`. */
  toldSession?: Session;
}

export interface Fleet {
  readonly get: (name: string) => NodeState | undefined;
  /** Made on first mention, as heard now: a plane that just started gives every node its grace. */
  readonly state: (name: string) => NodeState;
  readonly all: () => Iterable<NodeState>;
  readonly forget: (name: string) => void;
}

export function createFleet(monotonicNow: () => number): Fleet {
  const nodes = new Map<string, NodeState>();
  return {
    get: (name) => nodes.get(name),
    all: () => nodes.values(),
    forget: (name) => void nodes.delete(name),
    state: (name) => {
      let state = nodes.get(name);
      if (!state) {
        state = { name, reported: false, podsBySet: new Map(), lost: false, heardAt: monotonicNow() };
        nodes.set(name, state);
      }
      return state;
    },
  };
}

/** Its agent's stream is open and has said what runs there. */
export const isConnected = ({ session, reported }: NodeState): boolean => session !== undefined && reported;

/** It was told something after its last report was made, or nothing yet by this plane. */
export function isBehind({ told, report }: NodeState): boolean {
  const reported = report?.generation;
  return reported?.epoch !== told?.generation.epoch || reported?.counter !== told?.generation.counter;
}

export function indexPods(pods: readonly PodReport[]): ReadonlyMap<string, readonly PodReport[]> {
  const index = new Map<string, PodReport[]>();
  for (const pod of [...pods].sort(oldestFirst)) {
    const list = index.get(pod.daemonSetUid);
    if (list) list.push(pod);
    else index.set(pod.daemonSetUid, [pod]);
  }
  return index;
}

const oldestFirst = (a: PodReport, b: PodReport): number =>
  a.createdAt < b.createdAt ? -1 : a.createdAt > b.createdAt ? 1 : a.name < b.name ? -1 : 1;
