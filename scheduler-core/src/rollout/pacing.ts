// How a rollout is paced: a RolloutPolicy with its defaults filled in, or the defaults alone.

import { durationMs } from '../duration.ts';
import type { MaintenanceWindow, RolloutPolicySpec } from '../schema/rollout-policy.ts';

export interface Wave {
  readonly name: string;
  /** Labels a node must have; none: every node that no wave before took. */
  readonly nodeSelector: { readonly [label: string]: string };
  /** How many of those at most; absent: all. */
  readonly nodes?: number | string;
  /** Instead of the DaemonSet's own, while this wave is under way. */
  readonly maxUnavailable?: number | string;
  /** Every node of the wave stays available this long before the next wave. */
  readonly soakMs: number;
  /** Somebody has to approve it before it begins. */
  readonly manual: boolean;
}

export interface GroupBudget {
  readonly topologyKey: string;
  readonly maxUnavailable: number;
}

/** A time in which nodes may be changed. */
export interface Window {
  /** When it opens: cron. */
  readonly schedule: string;
  readonly durationMs: number;
  /** IANA's name; absent: the node's own. */
  readonly timeZone?: string;
  /** Labels a node must have for the window to be for it. */
  readonly nodeSelector: { readonly [label: string]: string };
}

export interface Pacing {
  /** Where this comes from, for people. */
  readonly source: string;
  readonly paused: boolean;
  /** The policy's, and minReadySeconds: nobody is available sooner. */
  readonly progressDeadlineMs: number;
  readonly soakMs: number;
  readonly failureThreshold: number | string;
  readonly onFailure: 'Rollback' | 'Pause' | 'Continue';
  /** How many nodes may pull in advance at once, whatever for; 0: none does. */
  readonly prePulls: number;
  /** How many nodes keep what they have. */
  readonly partition: number | string;
  readonly waves: readonly Wave[];
  readonly groupBudgets: readonly GroupBudget[];
  readonly windows: readonly Window[];
}

export const DEFAULT_PROGRESS_DEADLINE_SECONDS = 600;
export const DEFAULT_FAILURE_THRESHOLD = '25%';
export const DEFAULT_PRE_PULLS = 10;

export function pacingOf(source: string, spec: RolloutPolicySpec | undefined, minReadySeconds = 0): Pacing {
  const deadlineSeconds = spec?.progressDeadlineSeconds ?? DEFAULT_PROGRESS_DEADLINE_SECONDS;
  const soakMs = (spec?.soakSeconds ?? 0) * 1000;
  return {
    source,
    paused: spec?.paused ?? false,
    progressDeadlineMs: (deadlineSeconds + minReadySeconds) * 1000,
    soakMs,
    failureThreshold: spec?.failureThreshold ?? DEFAULT_FAILURE_THRESHOLD,
    onFailure: onFailureOf(spec?.onFailure),
    prePulls: spec?.prePull?.maxParallel ?? DEFAULT_PRE_PULLS,
    partition: spec?.partition ?? 0,
    waves: (spec?.steps ?? []).map((step, index) => ({
      name: step.name ?? `step ${index + 1}`,
      nodeSelector: step.nodeSelector ?? {},
      ...(step.nodes === undefined ? {} : { nodes: step.nodes }),
      ...(step.maxUnavailable === undefined ? {} : { maxUnavailable: step.maxUnavailable }),
      soakMs: step.soakSeconds === undefined ? soakMs : step.soakSeconds * 1000,
      manual: step.approval === 'Manual',
    })),
    groupBudgets: (spec?.topologyBudgets ?? []).map(({ topologyKey, maxUnavailable = 1 }) => ({
      topologyKey,
      maxUnavailable,
    })),
    windows: (spec?.maintenanceWindows ?? []).map(windowOf),
  };
}

export const windowOf = ({ schedule, duration, timeZone, nodeSelector = {} }: MaintenanceWindow): Window => ({
  schedule,
  durationMs: durationMs(duration) ?? 0,
  ...(timeZone ? { timeZone } : {}),
  nodeSelector,
});

/** One without a name is called by its number already. */
export const stepTitle = (name: string): string => (/^step \d+$/.test(name) ? name : `step ${name}`);

const onFailureOf = (value: string | undefined): Pacing['onFailure'] =>
  value === 'Pause' || value === 'Continue' ? value : 'Rollback';
