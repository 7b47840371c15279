// Tells why a pod that is wanted cannot be made: once for each DaemonSet and reason.
import type { NodePlan } from '@fleetset/scheduler-core/node/plan-node';
import type { AgentEvents } from './agent-events.ts';

export interface UnbornPods {
  readonly tell: (plan: NodePlan) => void;
}

export function createUnbornPods(events: AgentEvents): UnbornPods {
  let told: ReadonlyMap<string, string> = new Map();
  return {
    tell: ({ unborn = new Map() }) => {
      for (const [daemonSetUid, message] of unborn)
        if (told.get(daemonSetUid) !== message)
          events.add({ type: 'Warning', reason: 'FailedCreate', message, daemonSetUid });
      told = unborn;
    },
  };
}
