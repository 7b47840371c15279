// The way back to the revision that was stable, after a verdict or since people undid the change. It is never given up,
// so that its deadline stops nothing: it only says that the way back is late, until a node comes nearer again.
import type { Pacing } from './pacing.ts';
import type { RolloutRecord } from './rollout-record.ts';

/** Under onFailure Pause an undo stops as any rollout does. */
export const isWayBack = (
  { phase, newest, stable }: RolloutRecord,
  { onFailure }: Pick<Pacing, 'onFailure'>,
): boolean =>
  phase === 'RollingBack' || (phase === 'Progressing' && newest === stable && onFailure !== 'Pause');

/** `progressAt`: where nothing is waited for, now. */
export function lateOnTheWayBack(
  record: RolloutRecord,
  pacing: Pick<Pacing, 'onFailure' | 'progressDeadlineMs'>,
  progressAt: number,
  now: number,
): Pick<RolloutRecord, 'late'> {
  if (!isWayBack(record, pacing) || now - progressAt < pacing.progressDeadlineMs) return {};
  return { late: `on the way back no node came nearer in ${pacing.progressDeadlineMs / 1000} s` };
}

/** The same when it is not. */
export function withoutLate(record: RolloutRecord): RolloutRecord {
  if (record.late === undefined) return record;
  const { late: _over, ...rest } = record;
  return rest;
}
