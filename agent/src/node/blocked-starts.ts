// What the node has to know of pods that have yet to start: which of their ports are taken; and what people are told
// of those that may not.
import { type PortClaim, portClaims, type TakenPort } from '@fleetset/scheduler-core/node/blocked-pods';
import type { NodePlan } from '@fleetset/scheduler-core/node/plan-node';
import type { RuntimeContainer } from '../runtime/container-runtime.ts';
import type { BodyFiles } from '../state/body-files.ts';
import type { PodBook } from '../state/pod-book.ts';
import type { AgentEvents } from './agent-events.ts';
import { templateOf } from './desired-state.ts';

/** On which of these ports something listens; `podOf` tells whose a container is. */
export type FindTakenPorts = (
  claims: readonly PortClaim[],
  podOf: ReadonlyMap<string, string>,
) => Promise<readonly TakenPort[]>;

export interface BlockedStartsParts {
  readonly pods: PodBook;
  readonly bodies: BodyFiles;
  readonly events: AgentEvents;
  readonly takenPorts: FindTakenPorts;
}

export interface BlockedStarts {
  /** Asked only for pods that have yet to start and name ports; `untouched`: DaemonSets that are left alone. */
  readonly portsInTheWay: (
    containers: readonly RuntimeContainer[],
    untouched: ReadonlySet<string>,
  ) => Promise<readonly TakenPort[]>;
  /** Once for each reason. */
  readonly tell: (plan: NodePlan) => void;
}

export function createBlockedStarts({ pods, bodies, events, takenPorts }: BlockedStartsParts): BlockedStarts {
  const told = new Map<string, string>();
  return {
    portsInTheWay: async (containers, untouched) => {
      const begun = new Set(
        containers.filter(({ state }) => state !== 'created').map(({ identity }) => identity.pod.uid),
      );
      const claims = pods.all().flatMap(({ record, ending }) => {
        const template = templateOf(bodies, record);
        const waits = !ending && !begun.has(record.uid) && !untouched.has(record.daemonSetUid);
        return template && waits ? portClaims(template) : [];
      });
      if (claims.length === 0) return [];
      return takenPorts(claims, new Map(containers.map(({ id, identity }) => [id, identity.pod.uid])));
    },
    tell: ({ blocked }) => {
      for (const [podUid, { reason, message }] of blocked) {
        if (told.get(podUid) === message) continue;
        told.set(podUid, message);
        const as = reason === 'Unschedulable' ? 'FailedScheduling' : reason;
        events.add({ type: 'Warning', reason: as, message, podUid });
      }
      for (const uid of told.keys()) if (!blocked.has(uid)) told.delete(uid);
    },
  };
}
