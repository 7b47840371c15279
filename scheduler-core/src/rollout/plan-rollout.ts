// Which nodes may move to the newest revision now (rules 31 to 43), and why the others wait. The budget is
// strict: a node counts as down from the moment it is granted a revision until it reports that revision available.
// Under a surge it counts as being updated for as long, and whenever it goes down with what it was granted; what is down
// with the revision that was stable does not count.
import type { PlacementDecision } from '../placement.ts';
import type { GroupBudget } from './pacing.ts';
import { byName, byNames, type RolloutNodes, restingCount, restingWithout } from './resting-nodes.ts';
import { allowsSurge, budgetOf, type UpdateStrategy } from './update-strategy.ts';

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
  /** That grant was made under a surge: the node carries it out as one. */
  readonly surging?: boolean;
  /** Why its pod cannot be expected to become available: it crashes again and again. */
  readonly failing?: string;
  /** Another pod that is not being stopped: under a surge the new one, beside the one that counts; or a successor that
   *  failed before it could take over. */
  readonly beside?: { readonly revision: string; readonly failing?: string };
  /** Somebody on the node asked that what runs there is left alone, with why: its agent will change nothing. */
  readonly held?: string;
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

export interface RolloutInput extends RolloutNodes {
  readonly strategy: UpdateStrategy;
  /** The hash of the revision that nodes should have. */
  readonly target: string;
  /** Nodes that may not move now, with why. */
  readonly holds?: ReadonlyMap<string, string>;
  /** What a node without a pod gets while it may not have the target. */
  readonly fallback?: string;
  /** Silent nodes that were so before the rollout: set aside even if they have the target. */
  readonly aside?: ReadonlySet<string>;
  /** Nodes that were broken before the rollout: under a surge they spend nothing for being down. */
  readonly broken?: ReadonlySet<string>;
  /** Of the nodes that share a value of a label no more than so many are unavailable. */
  readonly groupBudgets?: readonly GroupBudget[];
}

export interface Grant {
  readonly node: string;
  readonly revision: string;
  readonly reason: string;
  /** To be carried out as a surge. */
  readonly surge?: boolean;
}
export interface Wait {
  readonly node: string;
  readonly reason: string;
  /** It is set aside: nobody waits for it. */
  readonly silent?: true;
}
export interface RolloutPlan {
  readonly grants: readonly Grant[];
  /** Nodes that are not on the newest revision and may not move to it now. */
  readonly waits: readonly Wait[];
  readonly maxUnavailable: number;
  /** Nodes that spend budget, before the grants of this plan. */
  readonly unavailable: number;
  /** Under a surge this is the budget instead, and nodes that are being updated spend it. */
  readonly surge?: { readonly maxSurge: number; readonly updating: number };
  /** Nodes whose grant is not a surge any more: it was switched off, and they are done with it. */
  readonly over?: readonly { readonly node: string; readonly revision: string }[];
}

export function planRollout(input: RolloutInput): RolloutPlan {
  const { desired, spending, down, up, over, kept } = sift(input);
  const surge = allowsSurge(input.strategy);
  const most = budgetOf(input.strategy, desired);
  const groups = groupsOf(input.groupBudgets ?? [], spending, surge);
  let spender = firstOf(spending);
  // One text for all that wait for it, of whom there may be thousands.
  let budget = budgetWith(most - spending.length, most, surge, spender);
  const grants = kept.map(takeBack);
  const waits: Wait[] = [];
  const decide = (node: RolloutNode, verdict: Verdict) => {
    if (!verdict.granted) {
      waits.push({ node: node.name, reason: verdict.reason, ...(node.lost ? { silent: true } : {}) });
      const revision = verdict.meanwhile ?? spareOf(node, input);
      if (revision !== undefined)
        grants.push({ node: node.name, revision, reason: `meanwhile: ${verdict.reason}` });
    } else {
      // What began as a surge goes on as one: nothing was stopped for it, and nothing was spent for a stop.
      const asSurge = surge || (node.surging && isInFlight(node));
      const { reason } = verdict;
      grants.push({ node: node.name, revision: input.target, reason, ...(asSurge ? { surge: true } : {}) });
      if (verdict.spends) {
        spender = firstOf(spender ? [spender, node] : [node]);
        budget = budgetWith(budget.left - 1, most, surge, spender);
        groups.spend(node);
      }
    }
  };
  const judgeOne = surge ? judgeSurge : judge;
  // What is down first, then by name.
  for (const node of down) decide(node, judgeOne(node, input, budget, groups));
  const closely = new Set(up);
  for (const node of byNames([up, ...restingWithout(input, input.target)])) {
    const judgeThis = closely.has(node) ? judgeOne : judgeResting;
    decide(node, judgeThis(node, input, budget, groups));
  }
  return {
    grants,
    waits,
    maxUnavailable: surge ? 0 : most,
    unavailable: surge ? 0 : spending.length,
    ...(surge ? { surge: { maxSurge: most, updating: spending.length } } : {}),
    ...(over.length > 0 ? { over } : {}),
  };
}

interface Sifted {
  /** Nodes that the budget is a share of. */
  readonly desired: number;
  /** Nodes that spend budget. */
  readonly spending: readonly RolloutNode[];
  /** Nodes that do not have the target, by name; those at rest are not among them. */
  readonly down: readonly RolloutNode[];
  readonly up: readonly RolloutNode[];
  readonly over: NonNullable<RolloutPlan['over']>;
  /** Nodes that were granted something and keep what runs there. */
  readonly kept: readonly RolloutNode[];
}

/** One look at each node that is not at rest, and nothing sorted but what may move. */
function sift(input: RolloutInput): Sifted {
  let desired = restingCount(input);
  const spending: RolloutNode[] = [];
  const down: RolloutNode[] = [];
  const up: RolloutNode[] = [];
  const over: { readonly node: string; readonly revision: string }[] = [];
  const kept: RolloutNode[] = [];
  const surge = allowsSurge(input.strategy);
  const spends = surge ? isBeingUpdated : spendsBudget;
  for (const node of input.nodes) {
    if (node.decision !== 'Run') continue;
    if (!isSetAside(node, input)) desired += 1;
    if (spends(node, input)) spending.push(node);
    const revision = effectiveRevision(node);
    if (revision !== input.target) (isUp(node) ? up : down).push(node);
    if (!surge && node.surging && revision !== undefined && isDone(node))
      over.push({ node: node.name, revision });
    if (keepsAnother(node)) kept.push(node);
  }
  return { desired, spending, down: down.sort(byName), up: up.sort(byName), over, kept: kept.sort(byName) };
}

/** Its agent leaves what runs there alone, whatever it is told. A pod that somebody deleted goes all the same. */
export const isHeld = ({ held, pod }: RolloutNode): boolean =>
  held !== undefined && pod !== undefined && !pod.deleted;

/** It has answered to all that it was told, and does not move to what it was granted. */
const keepsAnother = (node: RolloutNode): boolean =>
  isHeld(node) &&
  node.connected &&
  !node.lost &&
  !node.behind &&
  node.granted !== undefined &&
  node.granted !== node.pod?.revision;

/** So that it waits like the others, spends no budget for what it will not do, and fails nothing. */
const takeBack = ({ name, pod, held = '', surging }: RolloutNode): Grant => ({
  node: name,
  revision: pod?.revision ?? '',
  reason: `it keeps what it runs: ${held}`,
  // What came beside it is stopped, and nothing else is.
  ...(surging ? { surge: true } : {}),
});

/** A node that runs no pod and may not have the target is not left without one. */
function spareOf(node: RolloutNode, { holds, fallback }: RolloutInput): string | undefined {
  const bare = !node.pod && node.connected && !node.lost;
  return bare && node.granted !== fallback && holds?.has(node.name) ? fallback : undefined;
}

interface Verdict {
  readonly granted: boolean;
  readonly spends?: boolean;
  readonly reason: string;
  /** What it gets while it waits. */
  readonly meanwhile?: string;
}
interface Budget {
  readonly left: number;
  /** What is said while something is left, and when nothing is. */
  readonly within: string;
  readonly full: string;
}

const NOT_ANSWERED = 'the agent has not yet answered to what it was told last';
const NOT_DELETED = 'updateStrategy OnDelete: waits until its pod is deleted';
const UNDER_WAY = 'another revision is on its way to it already';

/** Why it may not move, whatever the budget. */
function refusal(node: RolloutNode, { holds }: RolloutInput): string | undefined {
  if (node.lost) return 'the node is silent: set aside until it returns';
  if (!node.connected) return 'the agent is not connected';
  return holds?.get(node.name) ?? (isHeld(node) ? node.held : undefined);
}

/** It is up and has answered, so that nothing but its hold and the budget decide. */
function judgeResting(
  node: RolloutNode,
  { holds, strategy }: RolloutInput,
  budget: Budget,
  groups: Groups,
): Verdict {
  const held = holds?.get(node.name);
  if (held !== undefined) return { granted: false, reason: held };
  if (strategy.type === 'OnDelete') return { granted: false, reason: NOT_DELETED };
  return withinBudget(node, budget, groups);
}

function judge(node: RolloutNode, input: RolloutInput, budget: Budget, groups: Groups): Verdict {
  const { pod } = node;
  const refused = refusal(node, input);
  if (refused !== undefined) return { granted: false, reason: refused };
  if (!pod) return { granted: true, reason: 'the node runs no pod now' };
  if (input.strategy.type === 'OnDelete')
    return pod.deleted
      ? { granted: true, reason: 'its pod was deleted' }
      : { granted: false, reason: NOT_DELETED };
  if (pod.unknown) return { granted: false, reason: 'the agent does not know yet how its pod is' };
  if (node.surging && isInFlight(node)) return { granted: true, reason: UNDER_WAY };
  if (isServing(node)) return judgeServing(node, pod.revision, input, budget, groups);
  if (!isUp(node)) return { granted: true, reason: 'its pod is not available: nothing to lose' };
  if (node.behind) return { granted: false, reason: NOT_ANSWERED };
  return withinBudget(node, budget, groups);
}

/**
 * What it was granted has not come yet, and what ran before still serves: it spends budget already, but has all to
 * lose. Several may have come to be so for nothing, as they were down then: beyond the budget they keep what runs.
 */
function judgeServing(
  node: RolloutNode,
  runs: string,
  { target }: RolloutInput,
  { left, full }: Budget,
  groups: Groups,
): Verdict {
  if (runs === target) return { granted: true, reason: 'it runs that already' };
  const wait = left < 0 ? full : groups.full(node, 1);
  if (wait === undefined) return { granted: true, reason: UNDER_WAY };
  if (node.behind) return { granted: false, reason: NOT_ANSWERED };
  return { granted: false, reason: wait, meanwhile: runs };
}

/** Rules 41 to 43. Its pod runs on whatever comes, so that only what is known to be down is taken beyond the budget. */
function judgeSurge(node: RolloutNode, input: RolloutInput, budget: Budget, groups: Groups): Verdict {
  const { pod } = node;
  const refused = refusal(node, input);
  if (refused !== undefined) return { granted: false, reason: refused };
  // It has been counted since it was granted that.
  if (isInFlight(node)) return { granted: true, reason: UNDER_WAY };
  // A pod may have come, or come up, since the report.
  if (node.behind && node.granted !== undefined) return { granted: false, reason: NOT_ANSWERED };
  const spends = !isBeingUpdated(node, input);
  if (!pod) return { granted: true, spends, reason: 'the node runs no pod now' };
  if (pod.unknown) return { granted: false, reason: 'the agent does not know yet how its pod is' };
  if (!isUp(node))
    return {
      granted: true,
      spends,
      reason: 'its pod is not available: another one may come beside it',
    };
  return withinBudget(node, budget, groups);
}

function withinBudget(node: RolloutNode, { left, full, within }: Budget, groups: Groups): Verdict {
  const wait = left > 0 ? groups.full(node) : full;
  return wait === undefined
    ? { granted: true, spends: true, reason: within }
    : { granted: false, reason: wait };
}

/** `spender`: the first of those that spend it. */
const budgetWith = (
  left: number,
  most: number,
  surge: boolean,
  spender: RolloutNode | undefined,
): Budget => ({
  left,
  within: `within ${surge ? 'maxSurge' : 'maxUnavailable'} ${most}`,
  full: `waits for its turn: ${most - left} of at most ${most} nodes are ${surge ? 'being updated or down' : 'unavailable'} (${spender?.name}${most - left > 1 ? ', ...' : ''})`,
});

const firstOf = (nodes: readonly RolloutNode[]): RolloutNode | undefined =>
  nodes.reduce<RolloutNode | undefined>(
    (first, node) => (first && first.name <= node.name ? first : node),
    undefined,
  );

/** A plane that lost its grants goes by what runs. */
export const effectiveRevision = ({ granted, pod }: RolloutNode): string | undefined =>
  granted ?? pod?.revision;

/** Available, on the revision it was told to run. */
export const isUp = (node: RolloutNode): boolean =>
  !node.lost &&
  node.pod?.available === true &&
  !node.pod.deleted &&
  node.pod.revision === effectiveRevision(node);

/** Available, on another revision than it was told to run. */
const isServing = (node: RolloutNode): boolean =>
  !node.lost &&
  node.pod?.available === true &&
  !node.pod.deleted &&
  node.pod.revision !== effectiveRevision(node);

/** A silent node that never got the target, or was silent before; one that got it and fell silent counts. */
export const isSetAside = (
  { name, lost, granted }: RolloutNode,
  { target, aside }: Pick<RolloutInput, 'target' | 'aside'>,
): boolean => lost && (granted !== target || (aside?.has(name) ?? false));

/** Rule 35. What is not known is not counted as up. */
const spendsBudget = (node: RolloutNode, input: RolloutInput): boolean =>
  !isSetAside(node, input) && (node.behind === true || node.pod?.unknown === true || !isUp(node));

/** It was granted another revision than that of the pod that counts. */
const isInFlight = (node: RolloutNode): boolean =>
  node.pod !== undefined && effectiveRevision(node) !== node.pod.revision;

/** Rule 43, from the grant on, and as long as it is down with what it got. What is not known may be. */
const isBeingUpdated = (node: RolloutNode, input: RolloutInput): boolean =>
  !isSetAside(node, input) &&
  (node.lost ||
    node.behind === true ||
    node.pod?.unknown === true ||
    node.beside !== undefined ||
    isInFlight(node) ||
    (!node.pod && !node.connected) ||
    isDownWithUpdate(node, input));

/** One that is down with the revision that was stable is simply down: no update did that. */
function isDownWithUpdate(node: RolloutNode, { target, fallback, broken }: RolloutInput): boolean {
  if (broken?.has(node.name)) return false;
  const revision = effectiveRevision(node);
  return revision !== undefined && !isUp(node) && (revision === target || revision !== fallback);
}

const isDone = (node: RolloutNode): boolean =>
  node.connected && !node.behind && node.beside === undefined && !isInFlight(node);

interface Groups {
  /** Why no more of the node's group may move; `own`: how much of what is spent the node itself spends. */
  readonly full: (node: RolloutNode, own?: number) => string | undefined;
  readonly spend: (node: RolloutNode) => void;
}

/** What the nodes of one budget spend, by their value of its label, and what is said to those that may not any more. */
interface GroupSpending {
  readonly budget: GroupBudget;
  readonly spent: Map<string, number>;
  readonly said: Map<string, string>;
}

/** `spending`: nodes that spend budget already. */
function groupsOf(budgets: readonly GroupBudget[], spending: readonly RolloutNode[], surge: boolean): Groups {
  const groups = budgets.map((budget): GroupSpending => ({ budget, spent: new Map(), said: new Map() }));
  const groupIn = ({ topologyKey }: GroupBudget, { labels }: RolloutNode) => labels?.[topologyKey] ?? '';
  const spend = (node: RolloutNode) => {
    for (const { budget, spent, said } of groups) {
      const value = groupIn(budget, node);
      spent.set(value, (spent.get(value) ?? 0) + 1);
      said.delete(value);
    }
  };
  // One text for all of a group.
  const textOf = ({ budget: { topologyKey }, spent, said }: GroupSpending, value: string): string => {
    const text =
      said.get(value) ??
      `waits for its turn: ${spent.get(value) ?? 0} of the nodes with ${topologyKey}=${value} are ${surge ? 'being updated or down' : 'unavailable'}`;
    said.set(value, text);
    return text;
  };
  for (const node of spending) spend(node);
  return {
    spend,
    full: (node, own = 0) => {
      for (const group of groups) {
        const value = groupIn(group.budget, node);
        if ((group.spent.get(value) ?? 0) - own >= group.budget.maxUnavailable) return textOf(group, value);
      }
      return undefined;
    },
  };
}
