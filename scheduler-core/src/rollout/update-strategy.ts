// How a DaemonSet is updated, and how many nodes may be on their way at once (rules 31, 32 and 46).
import { scaledCount } from '../int-or-percent.ts';
import type { DaemonSet } from '../schema/daemon-set.ts';

export interface UpdateStrategy {
  readonly type: 'RollingUpdate' | 'OnDelete';
  readonly maxUnavailable: number | string;
  readonly maxSurge?: number | string;
}

export function updateStrategyOf({ spec }: DaemonSet): UpdateStrategy {
  const { type, rollingUpdate } = spec?.updateStrategy ?? {};
  return {
    type: type === 'OnDelete' ? type : 'RollingUpdate',
    maxUnavailable: rollingUpdate?.maxUnavailable ?? 1,
    ...(rollingUpdate?.maxSurge === undefined ? {} : { maxSurge: rollingUpdate.maxSurge }),
  };
}

/** Rule 46: of one node, so that any percentage but nothing is one. */
export const allowsSurge = ({ type, maxSurge }: UpdateStrategy): boolean =>
  type === 'RollingUpdate' && scaledCount(maxSurge, 1) > 0;

/** With the budget of a step instead of its own. */
export function withBudget(strategy: UpdateStrategy, budget: number | undefined): UpdateStrategy {
  if (budget === undefined) return strategy;
  return allowsSurge(strategy) ? { ...strategy, maxSurge: budget } : { ...strategy, maxUnavailable: budget };
}

/** Rules 31 and 32: percentages of the desired count, those set aside left out, rounded up; never nothing at all. */
export function budgetOf(strategy: UpdateStrategy, desired: number): number {
  const value = allowsSurge(strategy) ? strategy.maxSurge : strategy.maxUnavailable;
  return Math.max(scaledCount(value, desired), desired > 0 ? 1 : 0);
}
