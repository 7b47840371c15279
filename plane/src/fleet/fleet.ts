// What the plane knows of its nodes right now: who is connected, when each was heard, what each reported last.
// Memory only: the agents tell it again after a restart.
import type {
  Generation,
  NodeReport,
  Placement,
  PodReport,
  SyncResponse,
} from '@fleetset/proto/gen/fleetset/v1/node';
import type { PlacementRules } from '@fleetset/scheduler-core/placement';

/** By DaemonSet uid. */
export type RulesTold = ReadonlyMap<string, PlacementRules>;

/** One agent's open stream. */
export interface Session {
  readonly nodeName: string;
  readonly instanceId: string;
  readonly machineId: string;
  readonly agentVersion: string;
  /** It has accepted nothing yet, of any plane: it has no bodies. */
  readonly isBlank: boolean;
  readonly send: (message: NonNullable<SyncResponse['message']>) => void;
  /** Ends the stream with a gRPC status and a message for the agent's log. */
  readonly end: (code: number, message: string) => void;
  /** Aborted when the stream is no more. */
  readonly gone: AbortSignal;
}

/** What is readonly here is what planning looks at: it changes by `change` alone, so that whoever follows hears of it. */
export interface NodeState {
  readonly name: string;
  readonly session?: Session | undefined;
  /** The session's own report has come: `report` is what runs there now. */
  readonly reported: boolean;
  readonly report?: NodeReport;
  /** Another machine that says it is this node, and when it first said so. */
  contender?: { readonly machineId: string; readonly since: number };
  /** How far the events of an agent's run have been counted. */
  eventsSeen?: { readonly instanceId: string; readonly sequence: number };
  /** The last report's pods by DaemonSet uid, oldest first. */
  readonly podsBySet: ReadonlyMap<string, readonly PodReport[]>;
  /** What it decided in the last report, by DaemonSet uid. */
  readonly placements: ReadonlyMap<string, Placement>;
  /** Silent for longer than the grace period, in this life of the plane: nothing is known of it. */
  readonly lost: boolean;
  /** By the plane's monotonic clock. */
  heardAt: number;
  /** By the same clock; absent: not by this life of the plane. */
  leaseRenewedAt?: number;
  /** The last desired state given to the node in this life of the plane. */
  readonly told?: {
    readonly generation: Generation;
    /** Encoded, without the generation; undefined when only the agent knows what it was. */
    readonly content: Buffer | undefined;
    /** Hashes of the bodies it names. */
    readonly bodies: readonly string[];
    /** Absent: only the agent knows. */
    readonly rules?: RulesTold;
  };
  /** The rules by which it decided what it reported last, as far as this plane told it of them. */
  readonly decidedBy?: RulesTold;
  /** Whether the session has been sent `told`. */
  toldSession?: Session;
}

export interface Fleet {
  readonly get: (name: string) => NodeState | undefined;
  /** Made on first mention, as heard now: a plane that just started gives every node its grace. */
  readonly state: (name: string) => NodeState;
  readonly change: (name: string, to: NodeChange) => void;
  readonly all: () => Iterable<NodeState>;
  readonly forget: (name: string) => void;
  /** Called with the name of each node that changed or was forgotten, at once. The answer ends it. */
  readonly follow: (onChange: (name: string) => void) => () => void;
}

export type NodeChange = Partial<
  Pick<
    NodeState,
    'session' | 'reported' | 'report' | 'podsBySet' | 'placements' | 'told' | 'decidedBy' | 'lost'
  >
>;

export function createFleet(monotonicNow: () => number): Fleet {
  const nodes = new Map<string, NodeState>();
  const followers = new Set<(name: string) => void>();
  const tell = (name: string) => {
    for (const follower of followers) follower(name);
  };
  const stateOf = (name: string): NodeState => {
    let state = nodes.get(name);
    if (!state) {
      state = {
        name,
        reported: false,
        podsBySet: new Map(),
        placements: new Map(),
        lost: false,
        heardAt: monotonicNow(),
      };
      nodes.set(name, state);
    }
    return state;
  };
  return {
    get: (name) => nodes.get(name),
    all: () => nodes.values(),
    state: stateOf,
    change: (name, to) => {
      Object.assign(stateOf(name), to);
      tell(name);
    },
    forget: (name) => {
      nodes.delete(name);
      tell(name);
    },
    follow: (onChange) => {
      followers.add(onChange);
      return () => void followers.delete(onChange);
    },
  };
}

/** Its agent's stream is open and has said what runs there. */
export const isConnected = ({ session, reported }: NodeState): boolean => session !== undefined && reported;

/** It was told something after its last report was made, or nothing yet by this plane. */
export function isBehind({ told, report }: Pick<NodeState, 'told' | 'report'>): boolean {
  const reported = report?.generation;
  return reported?.epoch !== told?.generation.epoch || reported?.counter !== told?.generation.counter;
}

/** What changes with a report. */
export function reportedChange({ told, decidedBy }: NodeState, report: NodeReport): NodeChange {
  const answered = !isBehind({ ...(told ? { told } : {}), report });
  const rules = answered ? told?.rules : decidedBy;
  return {
    report,
    podsBySet: indexPods(report.pods),
    placements: new Map(report.placements.map((one) => [one.daemonSetUid, one])),
    reported: true,
    ...(rules ? { decidedBy: rules } : {}),
  };
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

export const oldestFirst = (a: PodReport, b: PodReport): number =>
  a.createdAt < b.createdAt ? -1 : a.createdAt > b.createdAt ? 1 : a.name < b.name ? -1 : 1;
