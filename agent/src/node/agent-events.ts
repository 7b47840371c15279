// Events waiting to be told to the plane, in Kubernetes' words. Bounded: while the plane is away the oldest go.
import type { AgentEvent } from '@fleetset/proto/gen/fleetset/v1/node';

export interface NewEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  readonly podUid?: string;
  readonly daemonSetUid?: string;
  readonly container?: string;
}

export interface AgentEvents {
  readonly add: (event: NewEvent) => void;
  /** All that wait; they wait no more. */
  readonly take: () => AgentEvent[];
  readonly waiting: () => boolean;
}

const LIMIT = 500;

export function createAgentEvents(): AgentEvents {
  let sequence = 0;
  let events: AgentEvent[] = [];
  return {
    add: ({ type, reason, message, podUid = '', daemonSetUid = '', container }) => {
      sequence += 1;
      const fieldPath = container ? `spec.containers{${container}}` : '';
      events.push({ sequence, type, reason, message, podUid, daemonSetUid, fieldPath });
      if (events.length > LIMIT) events = events.slice(-LIMIT);
    },
    take: () => {
      const taken = events;
      events = [];
      return taken;
    },
    waiting: () => events.length > 0,
  };
}
