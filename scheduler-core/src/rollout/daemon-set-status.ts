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

/** What the counters are made of: kept from one status to the next, so that only nodes that changed are counted again. */
export interface StatusCounts {
  desired: number;
  current: number;
  misscheduled: number;
  ready: number;
  available: number;
  /** Nodes by the revision of the pod that counts. */
  readonly having: Map<string, number>;
}

export const noCounts = (): StatusCounts => ({
  desired: 0,
  current: 0,
  misscheduled: 0,
  ready: 0,
  available: 0,
  having: new Map(),
});

/** `by`: 1 counts it in, -1 out again. */
export function countNode(counts: StatusCounts, { decision, pods }: StatusNode, by: 1 | -1): void {
  const oldest = pods[0];
  if (decision !== 'Run') {
    if (oldest) counts.misscheduled += by;
    return;
  }
  counts.desired += by;
  if (!oldest) return;
  counts.current += by;
  if (oldest.ready) counts.ready += by;
  if (oldest.available) counts.available += by;
  const having = (counts.having.get(oldest.revision) ?? 0) + by;
  if (having > 0) counts.having.set(oldest.revision, having);
  else counts.having.delete(oldest.revision);
}

/** `target`: undefined when it is not known yet, so that no pod can have it. */
export function daemonSetStatus(
  { desired, current, misscheduled, ready, available, having }: Readonly<StatusCounts>,
  target: string | undefined,
  observedGeneration: number,
  previous: DaemonSetStatus | undefined,
): DaemonSetStatus {
  const updated = target === undefined ? 0 : (having.get(target) ?? 0);
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
