// Which nodes may move to the newest revision now (rules 31 to 40), and why the others wait. The budget is
// strict: a node counts as down from the moment it is granted a revision until it reports that revision available.
import { scaledCount } from '../int-or-percent.ts';
import type { PlacementDecision } from '../placement.ts';
import type { GroupBudget } from './pacing.ts';

export interface RolloutNode {
  readonly name: string;
  /** For waves and for budgets by a label. */
  readonly labels?: { readonly [label: string]: string };
  readonly decision: PlacementDecision;
  /** Its agent's stream is open and has reported, so that `pod` is what runs there. */
  readonly connected: boolean;
  /** Silent for longer than the grace period: nothing is known about it. */
  readonly lost: boolean;
  /** It was told something after its last report was made: `pod` may be on its way to something else. */
  readonly behind?: boolean;
  /** The revision it was granted last. */
  readonly granted?: string;
  /** Why its pod cannot be expected to become available: it crashes again and again. */
  readonly failing?: string;
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
  /** The hash of the revision that nodes should have. */
  readonly target: string;
  readonly nodes: readonly RolloutNode[];
  /** Nodes that may not move now, with why. */
  readonly holds?: ReadonlyMap<string, string>;
  /** What a node without a pod gets while it may not have the target. */
  readonly fallback?: string;
  /** Silent nodes that were so before the rollout: set aside even if they have the target. */
  readonly aside?: ReadonlySet<string>;
  /** Of the nodes that share a value of a label no more than so many are unavailable. */
  readonly groupBudgets?: readonly GroupBudget[];
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
  const { desired, down, outdated } = sift(input);
  const maxUnavailable = budget(input, desired);
  const groups = groupsOf(input.groupBudgets ?? [], down);
  let left = maxUnavailable - down.length;
  // One text for all that wait for it, of whom there may be thousands.
  let full = fullText(left, maxUnavailable);
  const grants: Grant[] = [];
  const waits: Wait[] = [];
  // What is down first, then by name.
  for (const node of [...outdated.filter((one) => !isUp(one)), ...outdated.filter(isUp)]) {
    const verdict = judge(node, input, left, maxUnavailable, full, groups);
    if (!verdict.granted) {
      waits.push({ node: node.name, reason: verdict.reason });
      const spare = spareOf(node, input, verdict.reason);
      if (spare) grants.push(spare);
    } else {
      grants.push({ node: node.name, revision: input.target, reason: verdict.reason });
      if (verdict.spends) {
        left -= 1;
        full = fullText(left, maxUnavailable);
        groups.spend(node);
      }
    }
  }
  return { grants, waits, maxUnavailable, unavailable: down.length };
}

interface Sifted {
  /** Nodes that the budget is a share of. */
  readonly desired: number;
  /** Nodes that spend budget. */
  readonly down: readonly RolloutNode[];
  /** Nodes that do not have the target, by name. */
  readonly outdated: readonly RolloutNode[];
}

/** One look at each node, and nothing sorted but what may move: fleets are large, and most of their nodes at rest. */
function sift(input: RolloutInput): Sifted {
  let desired = 0;
  const down: RolloutNode[] = [];
  const outdated: RolloutNode[] = [];
  for (const node of input.nodes) {
    if (node.decision !== 'Run') continue;
    if (!isSetAside(node, input)) desired += 1;
    if (spendsBudget(node, input)) down.push(node);
    if (effectiveRevision(node) !== input.target) outdated.push(node);
  }
  return { desired, down, outdated: outdated.sort(byName) };
}

/** A node that runs no pod and may not have the target is not left without one. */
function spareOf(node: RolloutNode, { holds, fallback }: RolloutInput, reason: string): Grant | undefined {
  const bare = !node.pod && node.connected && !node.lost;
  return bare && fallback !== undefined && node.granted !== fallback && holds?.has(node.name)
    ? { node: node.name, revision: fallback, reason: `meanwhile: ${reason}` }
    : undefined;
}

interface Verdict {
  readonly granted: boolean;
  readonly spends?: boolean;
  readonly reason: string;
}

function judge(
  node: RolloutNode,
  input: RolloutInput,
  left: number,
  maxUnavailable: number,
  fullBudget: string,
  groups: Groups,
): Verdict {
  const { pod } = node;
  if (node.lost) return { granted: false, reason: 'the node is silent: set aside until it returns' };
  if (!node.connected) return { granted: false, reason: 'the agent is not connected' };
  const hold = input.holds?.get(node.name);
  if (hold !== undefined) return { granted: false, reason: hold };
  if (!pod) return { granted: true, reason: 'the node runs no pod now' };
  if (input.strategy.type === 'OnDelete')
    return pod.deleted
      ? { granted: true, reason: 'its pod was deleted' }
      : { granted: false, reason: 'updateStrategy OnDelete: waits until its pod is deleted' };
  if (pod.unknown) return { granted: false, reason: 'the agent does not know yet how its pod is' };
  if (!isUp(node)) return { granted: true, reason: 'its pod is not available: nothing to lose' };
  if (node.behind)
    return { granted: false, reason: 'the agent has not yet answered to what it was told last' };
  const full = left > 0 ? groups.full(node) : undefined;
  if (full !== undefined) return { granted: false, reason: full };
  if (left > 0) return { granted: true, spends: true, reason: `within maxUnavailable ${maxUnavailable}` };
  return { granted: false, reason: fullBudget };
}

const fullText = (left: number, maxUnavailable: number): string =>
  `waits for its turn: ${maxUnavailable - left} of at most ${maxUnavailable} nodes are unavailable`;

/** A plane that lost its grants goes by what runs. */
export const effectiveRevision = ({ granted, pod }: RolloutNode): string | undefined =>
  granted ?? pod?.revision;

/** Available, on the revision it was told to run. */
export const isUp = (node: RolloutNode): boolean =>
  !node.lost &&
  node.pod?.available === true &&
  !node.pod.deleted &&
  node.pod.revision === effectiveRevision(node);

/** A silent node that never got the target, or was silent before; one that got it and fell silent counts. */
export const isSetAside = (
  { name, lost, granted }: RolloutNode,
  { target, aside }: Pick<RolloutInput, 'target' | 'aside'>,
): boolean => lost && (granted !== target || (aside?.has(name) ?? false));

/** Rule 35. What is not known is not counted as up. */
const spendsBudget = (node: RolloutNode, input: RolloutInput): boolean =>
  !isSetAside(node, input) && (node.behind === true || node.pod?.unknown === true || !isUp(node));

interface Groups {
  /** Why no more of the node's group may go down. */
  readonly full: (node: RolloutNode) => string | undefined;
  readonly spend: (node: RolloutNode) => void;
}

/** `down`: nodes that spend budget already. */
function groupsOf(budgets: readonly GroupBudget[], down: readonly RolloutNode[]): Groups {
  const spent = new Map<string, number>();
  const key = ({ topologyKey }: GroupBudget, { labels = {} }: RolloutNode) =>
    `${topologyKey}=${labels[topologyKey] ?? ''}`;
  const spend = (node: RolloutNode) => {
    for (const one of budgets) spent.set(key(one, node), (spent.get(key(one, node)) ?? 0) + 1);
  };
  for (const node of down) spend(node);
  return {
    spend,
    full: (node) => {
      const found = budgets.find((one) => (spent.get(key(one, node)) ?? 0) >= one.maxUnavailable);
      return (
        found &&
        `waits for its turn: ${spent.get(key(found, node))} of the nodes with ${key(found, node)} are unavailable`
      );
    },
  };
}

/** Rule 31 and 32: percentages of the desired count, those set aside left out, rounded up; never nothing at all. */
const budget = ({ strategy }: RolloutInput, desired: number): number =>
  Math.max(scaledCount(strategy.maxUnavailable, desired), desired > 0 ? 1 : 0);

const byName = (a: RolloutNode, b: RolloutNode): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
