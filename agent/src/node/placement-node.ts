// This node, as placement sees it.
import type { PlacementNode } from '@fleetset/scheduler-core/placement';
import type { ResolvedDesired } from './desired-state.ts';
import type { NodeAgentParts } from './node-agent-parts.ts';

export function placementNode(
  parts: Pick<NodeAgentParts, 'nodeName' | 'ownLabels' | 'ownTaints'>,
  desired: ResolvedDesired,
): PlacementNode {
  const own = parts.ownTaints();
  const operators = desired.taints.filter(
    (taint) => !own.some((mine) => mine.key === taint.key && mine.effect === taint.effect),
  );
  return {
    name: parts.nodeName,
    labels: { ...desired.labels, ...parts.ownLabels() },
    taints: [...own, ...operators],
  };
}
