// Whether one node may move to the newest revision now (rules 31 to 43), and why it waits if not.
import { isBeingUpdated, type SpendingInput } from './budget-spending.ts';
import type { Groups } from './group-budgets.ts';
import { isHeld, isInFlight, isServing, isUp, type RolloutNode } from './rollout-node.ts';
import type { UpdateStrategy } from './update-strategy.ts';

interface JudgedBy extends SpendingInput {
  readonly strategy: Pick<UpdateStrategy, 'type'>;
}

export interface Verdict {
  readonly granted: boolean;
  readonly spends?: boolean;
  readonly reason: string;
  /** What it gets while it waits. */
  readonly meanwhile?: string;
}
export interface Budget {
  readonly left: number;
  /** What is said while something is left, and when nothing is. */
  readonly within: string;
  readonly full: string;
}

const NOT_ANSWERED = 'the agent has not yet answered to what it was told last';
const NOT_DELETED = 'updateStrategy OnDelete: waits until its pod is deleted';
const UNDER_WAY = 'another revision is on its way to it already';

/** Why it may not move, whatever the budget. */
function refusal(node: RolloutNode, hold: string | undefined): string | undefined {
  if (node.lost) return 'the node is silent: set aside until it returns';
  if (!node.connected) return 'the agent is not connected';
  return hold ?? (isHeld(node) ? node.held : undefined);
}

/** Why a node waits that is up and has answered, so that nothing but its hold and the budget decide; undefined: it may move. */
export function waitAtRest(
  node: RolloutNode,
  hold: string | undefined,
  { strategy }: JudgedBy,
  { left, full }: Budget,
  groups: Groups,
): string | undefined {
  if (hold !== undefined) return hold;
  if (strategy.type === 'OnDelete') return NOT_DELETED;
  return left > 0 ? groups.full(node) : full;
}

/** `hold`: why it may not move now, whatever the budget. */
export type Judge = (
  node: RolloutNode,
  hold: string | undefined,
  input: JudgedBy,
  budget: Budget,
  groups: Groups,
) => Verdict;

export const judge: Judge = (node, hold, input, budget, groups) => {
  const { pod } = node;
  const refused = refusal(node, hold);
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
};

/**
 * What it was granted has not come yet, and what ran before still serves: it spends budget already, but has all to
 * lose. Several may have come to be so for nothing, as they were down then: beyond the budget they keep what runs.
 */
function judgeServing(
  node: RolloutNode,
  runs: string,
  { target }: JudgedBy,
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
export const judgeSurge: Judge = (node, hold, input, budget, groups) => {
  const { pod } = node;
  const refused = refusal(node, hold);
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
};

function withinBudget(node: RolloutNode, { left, full, within }: Budget, groups: Groups): Verdict {
  const wait = left > 0 ? groups.full(node) : full;
  return wait === undefined
    ? { granted: true, spends: true, reason: within }
    : { granted: false, reason: wait };
}

/** `spender`: the first of those that spend it. */
export const budgetWith = (
  left: number,
  most: number,
  surge: boolean,
  spender: RolloutNode | undefined,
): Budget => ({
  left,
  within: `within ${surge ? 'maxSurge' : 'maxUnavailable'} ${most}`,
  full: `waits for its turn: ${most - left} of at most ${most} nodes are ${surge ? 'being updated or down' : 'unavailable'} (${spender?.name}${most - left > 1 ? ', ...' : ''})`,
});
