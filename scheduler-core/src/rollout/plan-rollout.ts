// Which nodes may move to the newest revision now (rules 31 to 40), and why the others wait. The budget is
// strict: a node counts as down from the moment it is granted a revision until it reports that revision available.
import { scaledCount } from '../int-or-percent.ts';
import type { PlacementDecision } from '../placement.ts';

export interface RolloutNode {
  readonly name: string;
  readonly decision: PlacementDecision;
  /** Its agent's stream is open and has reported, so that `pod` is what runs there. */
  readonly connected: boolean;
  /** Silent for longer than the grace period: nothing is known about it. */
  readonly lost: boolean;
  /** It was told something after its last report was made: `pod` may be on its way to something else. */
  readonly behind?: boolean;
  /** The revision it was granted last. */
  readonly granted?: string;
  /** The pod that counts, from its last report. */
  readonly pod?: {
    readonly revision: string;
    readonly available: boolean;
    /** Somebody deleted it. */
    readonly deleted: boolean;
    /** The agent has not been able to look at it since it started: what it says is what it knew before. */
    readonly unknown?: boolean;
  };
}

export interface RolloutInput {
  readonly strategy: {
    readonly type: 'RollingUpdate' | 'OnDelete';
    readonly maxUnavailable: number | string;
  };
  /** The hash of the newest revision. */
  readonly target: string;
  readonly nodes: readonly RolloutNode[];
}

export interface Grant {
  readonly node: string;
  readonly revision: string;
  readonly reason: string;
}
export interface Wait {
  readonly node: string;
  readonly reason: string;
}
export interface RolloutPlan {
  readonly grants: readonly Grant[];
  /** Nodes that are not on the newest revision and may not move to it now. */
  readonly waits: readonly Wait[];
  readonly maxUnavailable: number;
  /** Nodes that spend budget, before the grants of this plan. */
  readonly unavailable: number;
}

export function planRollout(input: RolloutInput): RolloutPlan {
  const nodes = [...input.nodes].filter(({ decision }) => decision === 'Run').sort(byName);
  const maxUnavailable = budget(input, nodes.filter((node) => !isSetAside(node, input.target)).length);
  const unavailable = nodes.filter((node) => spendsBudget(node, input.target)).length;
  let left = maxUnavailable - unavailable;
  const grants: Grant[] = [];
  const waits: Wait[] = [];
  const outdated = nodes.filter((node) => effectiveRevision(node) !== input.target);
  for (const node of [...outdated].sort((a, b) => Number(isUp(a)) - Number(isUp(b)))) {
    const verdict = judge(node, input, left, maxUnavailable);
    if (!verdict.granted) waits.push({ node: node.name, reason: verdict.reason });
    else {
      grants.push({ node: node.name, revision: input.target, reason: verdict.reason });
      if (verdict.spends) left -= 1;
    }
  }
  return { grants, waits, maxUnavailable, unavailable };
}

interface Verdict {
  readonly granted: boolean;
  readonly spends?: boolean;
  readonly reason: string;
}

function judge(node: RolloutNode, input: RolloutInput, left: number, maxUnavailable: number): Verdict {
  const { pod } = node;
  if (node.lost) return { granted: false, reason: 'the node is silent: set aside until it returns' };
  if (!node.connected) return { granted: false, reason: 'the agent is not connected' };
  if (!pod) return { granted: true, reason: 'the node runs no pod now' };
  if (input.strategy.type === 'OnDelete')
    return pod.deleted
      ? { granted: true, reason: 'its pod was deleted' }
      : { granted: false, reason: 'updateStrategy OnDelete: waits until its pod is deleted' };
  if (pod.unknown) return { granted: false, reason: 'the agent does not know yet how its pod is' };
  if (!isUp(node)) return { granted: true, reason: 'its pod is not available: nothing to lose' };
  if (node.behind)
    return { granted: false, reason: 'the agent has not yet answered to what it was told last' };
  if (left > 0) return { granted: true, spends: true, reason: `within maxUnavailable ${maxUnavailable}` };
  return {
    granted: false,
    reason: `waits for its turn: ${maxUnavailable - left} of at most ${maxUnavailable} nodes are unavailable`,
  };
}

/** A plane that lost its grants goes by what runs. */
const effectiveRevision = ({ granted, pod }: RolloutNode): string | undefined => granted ?? pod?.revision;

/** Available, on the revision it was told to run. */
const isUp = (node: RolloutNode): boolean =>
  !node.lost &&
  node.pod?.available === true &&
  !node.pod.deleted &&
  node.pod.revision === effectiveRevision(node);

/** A silent node that never got the newest revision; one that got it counts against it. */
const isSetAside = ({ lost, granted }: RolloutNode, target: string): boolean => lost && granted !== target;

/** Rule 35. What is not known is not counted as up. */
const spendsBudget = (node: RolloutNode, target: string): boolean =>
  !isSetAside(node, target) && (node.behind === true || node.pod?.unknown === true || !isUp(node));

/** Rule 31 and 32: percentages of the desired count, those set aside left out, rounded up; never nothing at all. */
const budget = ({ strategy }: RolloutInput, desired: number): number =>
  Math.max(scaledCount(strategy.maxUnavailable, desired), desired > 0 ? 1 : 0);

const byName = (a: RolloutNode, b: RolloutNode): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
