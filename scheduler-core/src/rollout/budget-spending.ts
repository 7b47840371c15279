// Which nodes spend budget. It is strict: a node counts as down from the moment it is granted a revision until it reports
// that revision available. Under a surge it counts as being updated for as long, and whenever it goes down with what it
// was granted; what is down with the revision that was stable does not count.
import { effectiveRevision, isInFlight, isSetAside, isUp, type RolloutNode } from './rollout-node.ts';

export interface SpendingInput {
  /** The hash of the revision that nodes should have. */
  readonly target: string;
  /** What a node without a pod gets while it may not have the target. */
  readonly fallback?: string;
  /** Silent nodes that were so before the rollout: set aside even if they have the target. */
  readonly aside?: ReadonlySet<string>;
  /** Nodes that were broken before the rollout: under a surge they spend nothing for being down. */
  readonly broken?: ReadonlySet<string>;
}

/** Rule 35. What is not known is not counted as up. */
export const spendsBudget = (node: RolloutNode, input: SpendingInput): boolean =>
  !isSetAside(node, input) && (node.behind === true || node.pod?.unknown === true || !isUp(node));

/** Rule 43, from the grant on, and as long as it is down with what it got. What is not known may be. */
export const isBeingUpdated = (node: RolloutNode, input: SpendingInput): boolean =>
  !isSetAside(node, input) &&
  (node.lost ||
    node.behind === true ||
    node.pod?.unknown === true ||
    node.beside !== undefined ||
    isInFlight(node) ||
    (!node.pod && !node.connected) ||
    isDownWithUpdate(node, input));

/** One that is down with the revision that was stable is simply down: no update did that. */
function isDownWithUpdate(node: RolloutNode, { target, fallback, broken }: SpendingInput): boolean {
  if (broken?.has(node.name)) return false;
  const revision = effectiveRevision(node);
  return revision !== undefined && !isUp(node) && (revision === target || revision !== fallback);
}
