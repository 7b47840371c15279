// The counters of a DaemonSet (rules 24 to 27), from what each node decided and runs.
import type { PlacementDecision } from '../placement.ts';
import type { DaemonSetStatus } from '../schema/daemon-set.ts';

export interface StatusPod {
  readonly revision: string;
  readonly ready: boolean;
  readonly available: boolean;
}

export interface StatusNode {
  readonly decision: PlacementDecision;
  /** Oldest first: the oldest is the one that counts. */
  readonly pods: readonly StatusPod[];
}

/** `target`: undefined when it is not known yet, so that no pod can have it. */
export function daemonSetStatus(
  nodes: Iterable<StatusNode>,
  target: string | undefined,
  observedGeneration: number,
  previous: DaemonSetStatus | undefined,
): DaemonSetStatus {
  let desired = 0;
  let current = 0;
  let misscheduled = 0;
  let ready = 0;
  let available = 0;
  let updated = 0;
  for (const { decision, pods } of nodes) {
    const oldest = pods[0];
    if (decision !== 'Run') {
      if (oldest) misscheduled += 1;
      continue;
    }
    desired += 1;
    if (!oldest) continue;
    current += 1;
    if (oldest.ready) ready += 1;
    if (oldest.available) available += 1;
    if (oldest.revision === target) updated += 1;
  }
  const unavailable = desired - available;
  return {
    currentNumberScheduled: current,
    desiredNumberScheduled: desired,
    numberMisscheduled: misscheduled,
    numberReady: ready,
    observedGeneration,
    ...(updated > 0 ? { updatedNumberScheduled: updated } : {}),
    ...(available > 0 ? { numberAvailable: available } : {}),
    ...(unavailable > 0 ? { numberUnavailable: unavailable } : {}),
    ...(previous?.collisionCount ? { collisionCount: previous.collisionCount } : {}),
    ...(previous?.conditions ? { conditions: previous.conditions } : {}),
  };
}
