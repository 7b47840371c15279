// What a rollout that is under way waits for, for people who are told when it stands still.
import { type Standing, waitingText } from './rollout-condition.ts';
import type { RolloutRecord, RolloutTimes } from './rollout-record.ts';

export interface WaitingFor {
  /** The same as long as the reasons are, whoever waits. */
  readonly what: string;
  /** When a node came nearer last, where some could. */
  readonly progressAt?: number;
  readonly message: string;
}

/** Undefined when nothing is under way, or nothing waits. */
export function waitingFor(
  { phase }: Pick<RolloutRecord, 'phase'>,
  { target, moving, progressAt }: Pick<RolloutTimes, 'target' | 'moving' | 'progressAt'>,
  standing: Standing,
): WaitingFor | undefined {
  const { underWay, waits, settling } = standing;
  if (settling || (phase !== 'Progressing' && phase !== 'RollingBack')) return undefined;
  const awaited = waits.find(({ silent }) => !silent);
  const reasons = [underWay?.reason, awaited?.reason].filter((reason) => reason !== undefined);
  if (reasons.length === 0) return undefined;
  return {
    // Counts come and go.
    what: [target, ...reasons.map((reason) => reason.replace(/\d+/g, ''))].join('; '),
    ...(moving ? { progressAt } : {}),
    message: waitingText(target, standing),
  };
}
