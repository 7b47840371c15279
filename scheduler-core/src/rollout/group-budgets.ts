// Budgets of nodes that share a value of a label: what they spend, and who has to wait for that.
import type { GroupBudget } from './pacing.ts';
import type { RolloutNode } from './rollout-node.ts';

export interface Groups {
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
export function groupsOf(
  budgets: readonly GroupBudget[],
  spending: readonly RolloutNode[],
  surge: boolean,
): Groups {
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
