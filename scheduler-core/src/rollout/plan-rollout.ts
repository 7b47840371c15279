// Which nodes may move to the newest revision now (rules 31 to 43), and why the others wait.
import { isBeingUpdated, type SpendingInput, spendsBudget } from './budget-spending.ts';
import { groupsOf } from './group-budgets.ts';
import { budgetWith, judge, judgeSurge, type Verdict, waitAtRest } from './judge-node.ts';
import type { GroupBudget } from './pacing.ts';
import {
  CLOSELY,
  inLine,
  type LineUp,
  type RolloutNodes,
  restingCount,
  restingPlace,
} from './resting-nodes.ts';
import { effectiveRevision, isHeld, isInFlight, isSetAside, isUp, type RolloutNode } from './rollout-node.ts';
import { allowsSurge, budgetOf, type UpdateStrategy } from './update-strategy.ts';

export interface RolloutInput extends RolloutNodes, SpendingInput {
  readonly strategy: UpdateStrategy;
  /** Nodes that may not move now, with why. */
  readonly holds?: Holds;
  /** Of the nodes that share a value of a label no more than so many are unavailable. */
  readonly groupBudgets?: readonly GroupBudget[];
}

/** Found out for those of whom somebody asks. */
export interface Holds extends Iterable<readonly [node: string, reason: string]> {
  readonly get: (node: string) => string | undefined;
  /** The same by places in a line-up. */
  readonly inLine?: { readonly lineUp: LineUp; readonly at: (place: number) => string | undefined };
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
  /** How many of the nodes that wait are held by somebody on them. */
  readonly held?: number;
  /** Under a surge this is the budget instead, and nodes that are being updated spend it. */
  readonly surge?: { readonly maxSurge: number; readonly updating: number };
  /** Nodes whose grant is not a surge any more: it was switched off, and they are done with it. */
  readonly over?: readonly { readonly node: string; readonly revision: string }[];
}

export function planRollout(input: RolloutInput): RolloutPlan {
  const { lineUp } = inLine(input);
  const { inOrder, restsOn } = lineUp;
  const { desired, spending, down, up, over, kept } = sift(input, lineUp);
  const surge = allowsSurge(input.strategy);
  const most = budgetOf(input.strategy, desired);
  const groups = groupsOf(input.groupBudgets ?? [], spending, surge);
  let spender = firstOf(spending);
  // One text for all that wait for it, of whom there may be thousands.
  let budget = budgetWith(most - spending.length, most, surge, spender);
  const grants = kept.map(takeBack);
  const waits: Wait[] = [];
  let held = 0;
  const spend = (node: RolloutNode) => {
    spender = firstOf(spender ? [spender, node] : [node]);
    budget = budgetWith(budget.left - 1, most, surge, spender);
    groups.spend(node);
  };
  const decide = (node: RolloutNode, hold: string | undefined, verdict: Verdict) => {
    const { reason } = verdict;
    if (!verdict.granted) {
      if (isHeld(node)) held += 1;
      waits.push(node.lost ? { node: node.name, reason, silent: true } : { node: node.name, reason });
      const revision = verdict.meanwhile ?? spareOf(node, hold, input);
      if (revision !== undefined) grants.push({ node: node.name, revision, reason: `meanwhile: ${reason}` });
    } else {
      // What began as a surge goes on as one: nothing was stopped for it, and nothing was spent for a stop.
      const asSurge = surge || (node.surging && isInFlight(node));
      grants.push({ node: node.name, revision: input.target, reason, ...(asSurge ? { surge: true } : {}) });
      if (verdict.spends) spend(node);
    }
  };
  const holdAt = holdsByPlace(input.holds, lineUp);
  const judgeOne = surge ? judgeSurge : judge;
  const judgeAt = (place: number) => {
    const [node, hold] = [inOrder[place] as RolloutNode, holdAt(place)];
    decide(node, hold, judgeOne(node, hold, input, budget, groups));
  };
  const decideAtRest = (node: RolloutNode, hold: string | undefined) => {
    const reason = waitAtRest(node, hold, input, budget, groups);
    if (reason !== undefined) waits.push({ node: node.name, reason });
    else decide(node, hold, { granted: true, spends: true, reason: budget.within });
  };
  // What is down first, then by name.
  down.forEach(judgeAt);
  const have = restingPlace(lineUp, input.target);
  let next = 0;
  for (let place = 0; place < inOrder.length; place++) {
    const rests = restsOn[place];
    if (rests !== CLOSELY && rests !== have) decideAtRest(inOrder[place] as RolloutNode, holdAt(place));
    if (place !== up[next]) continue;
    judgeAt(place);
    next += 1;
  }
  return {
    grants,
    waits,
    maxUnavailable: surge ? 0 : most,
    unavailable: surge ? 0 : spending.length,
    ...(surge ? { surge: { maxSurge: most, updating: spending.length } } : {}),
    ...(held > 0 ? { held } : {}),
    ...(over.length > 0 ? { over } : {}),
  };
}

function holdsByPlace(holds: Holds | undefined, lineUp: LineUp): (place: number) => string | undefined {
  if (!holds) return () => undefined;
  if (holds.inLine?.lineUp === lineUp) return holds.inLine.at;
  return (place) => holds.get((lineUp.inOrder[place] as RolloutNode).name);
}

interface Sifted {
  /** Nodes that the budget is a share of. */
  readonly desired: number;
  /** Nodes that spend budget. */
  readonly spending: readonly RolloutNode[];
  /** Places of nodes that do not have the target; those at rest are not among them. */
  readonly down: readonly number[];
  readonly up: readonly number[];
  readonly over: NonNullable<RolloutPlan['over']>;
  /** Nodes that were granted something and keep what runs there. */
  readonly kept: readonly RolloutNode[];
}

/** One look at each node that is not at rest. */
function sift(input: RolloutInput, lineUp: LineUp): Sifted {
  let desired = restingCount({ nodes: [], lineUp });
  const spending: RolloutNode[] = [];
  const down: number[] = [];
  const up: number[] = [];
  const over: { readonly node: string; readonly revision: string }[] = [];
  const kept: RolloutNode[] = [];
  const surge = allowsSurge(input.strategy);
  const spends = surge ? isBeingUpdated : spendsBudget;
  const look = (node: RolloutNode, place: number) => {
    if (node.decision !== 'Run') return;
    if (!isSetAside(node, input)) desired += 1;
    if (spends(node, input)) spending.push(node);
    const revision = effectiveRevision(node);
    if (revision !== input.target) (isUp(node) ? up : down).push(place);
    if (!surge && node.surging && revision !== undefined && isDone(node))
      over.push({ node: node.name, revision });
    if (keepsAnother(node)) kept.push(node);
  };
  const { inOrder, restsOn } = lineUp;
  const someAreOver = !surge && lineUp.surging > 0;
  for (let place = 0; place < inOrder.length; place++) {
    const node = inOrder[place] as RolloutNode;
    if (restsOn[place] === CLOSELY) look(node, place);
    else if (someAreOver && node.surging) over.push({ node: node.name, revision: node.granted as string });
  }
  return { desired, spending, down, up, over, kept };
}

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
function spareOf(
  node: RolloutNode,
  hold: string | undefined,
  { fallback }: RolloutInput,
): string | undefined {
  const bare = !node.pod && node.connected && !node.lost;
  return bare && node.granted !== fallback && hold !== undefined ? fallback : undefined;
}

const firstOf = (nodes: readonly RolloutNode[]): RolloutNode | undefined =>
  nodes.reduce<RolloutNode | undefined>(
    (first, node) => (first && first.name <= node.name ? first : node),
    undefined,
  );

const isDone = (node: RolloutNode): boolean =>
  node.connected && !node.behind && node.beside === undefined && !isInFlight(node);
