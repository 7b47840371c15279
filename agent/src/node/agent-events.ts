// Events waiting to be told to the plane, in Kubernetes' words. Bounded: while the plane is away the oldest go.
// Each is told at least once: what was sent to a listener that may have been gone already is sent to the next too.
import type { AgentEvent } from '@fleetset/proto/gen/fleetset/v1/node';

export interface NewEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  readonly podUid?: string;
  readonly daemonSetUid?: string;
  readonly container?: string;
  /** The container is one of the init containers. */
  readonly init?: boolean;
}

export interface AgentEvents {
  readonly add: (event: NewEvent) => void;
  /** All that wait; they wait no more, unless `repeat` is called soon. */
  readonly take: () => AgentEvent[];
  /** There is a new listener: what was taken for the one before a moment ago waits again. */
  readonly repeat: () => void;
  readonly waiting: () => boolean;
}

const LIMIT = 500;
/** Longer than it takes to notice that a connection is dead. */
const MAY_BE_LOST_MS = 45_000;

export function createAgentEvents(): AgentEvents {
  let sequence = 0;
  let events: AgentEvent[] = [];
  let taken: { readonly at: number; readonly events: readonly AgentEvent[] }[] = [];
  const fresh = () => taken.filter(({ at }) => performance.now() - at < MAY_BE_LOST_MS);
  return {
    add: ({ type, reason, message, podUid = '', daemonSetUid = '', container, init }) => {
      sequence += 1;
      const fieldPath = container ? `spec.${init ? 'initContainers' : 'containers'}{${container}}` : '';
      events.push({ sequence, type, reason, message, podUid, daemonSetUid, fieldPath });
      if (events.length > LIMIT) events = events.slice(-LIMIT);
    },
    take: () => {
      const all = events;
      events = [];
      if (all.length > 0) taken = [...fresh(), { at: performance.now(), events: all }];
      return all;
    },
    repeat: () => {
      events = [...fresh().flatMap((earlier) => earlier.events), ...events].slice(-LIMIT);
      taken = [];
    },
    waiting: () => events.length > 0,
  };
}
