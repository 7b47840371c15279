// What becomes of a pod that has failed or succeeded (rules 19 to 21): it is deleted, and another is made. One that
// succeeded at once; one that failed only when the back-off since the last deletion is over.

/** How a pod ended; it never runs again. */
export interface PodEnd {
  readonly phase: 'Failed' | 'Succeeded';
  readonly reason: string;
  readonly message: string;
}

/** Of one DaemonSet on one node. Instants are milliseconds of one monotonic clock. */
export interface FailedPodBackOff {
  /** What was wanted: of anything else nothing is known yet. */
  readonly generation: string;
  readonly waitMs: number;
  readonly deletedAt: number;
}

export type FinishedVerdict =
  /** Delete it now. `backOff`: what to remember from now on. */
  | { readonly discard: true; readonly backOff?: FailedPodBackOff }
  | { readonly discard: false; readonly until: number };

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 15 * 60_000;
const FORGOTTEN_AFTER_MS = 2 * LONGEST_WAIT_MS;

export function judgeFinished(
  { phase }: Pick<PodEnd, 'phase'>,
  before: FailedPodBackOff | undefined,
  generation: string,
  now: number,
): FinishedVerdict {
  if (phase === 'Succeeded') return { discard: true };
  const known =
    before?.generation === generation && now - before.deletedAt <= FORGOTTEN_AFTER_MS ? before : undefined;
  if (!known) return { discard: true, backOff: { generation, waitMs: FIRST_WAIT_MS, deletedAt: now } };
  const until = known.deletedAt + known.waitMs;
  if (now < until) return { discard: false, until };
  const waitMs = Math.min(2 * known.waitMs, LONGEST_WAIT_MS);
  return { discard: true, backOff: { generation, waitMs, deletedAt: now } };
}
