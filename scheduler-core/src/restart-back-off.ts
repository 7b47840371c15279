// How long to wait before trying again: containers that exit (rules 96 and 97) and images that cannot be
// pulled (rule 98). Instants are milliseconds of one monotonic clock.

export interface BackOffLimits {
  readonly initialMs: number;
  readonly maxMs: number;
}

export const CONTAINER_RESTART: BackOffLimits = { initialMs: 10_000, maxMs: 300_000 };
/** Kubernetes makes a sandbox anew as soon as it is seen to be gone. */
export const HOLDER_RESTART: BackOffLimits = { initialMs: 1000, maxMs: 10_000 };
export const IMAGE_PULL: BackOffLimits = { initialMs: 10_000, maxMs: 300_000 };

export interface BackOff {
  /** The wait that the next failure has to sit out, counted from that failure. */
  readonly waitMs: number;
  readonly updatedAt: number;
}

export type RetryDecision =
  | { readonly retry: true; readonly backOff: BackOff }
  | { readonly retry: false; readonly waitMs: number; readonly until: number };

/** The first retry is at once; afterwards the wait doubles. Forgotten when the failure came more than twice
 *  the maximum after the last retry. */
export function decideRetry(
  backOff: BackOff | undefined,
  failedAt: number,
  now: number,
  limits: BackOffLimits,
): RetryDecision {
  if (!backOff || failedAt - backOff.updatedAt > 2 * limits.maxMs)
    return { retry: true, backOff: { waitMs: limits.initialMs, updatedAt: now } };
  const until = failedAt + backOff.waitMs;
  if (now < until) return { retry: false, waitMs: backOff.waitMs, until };
  return {
    retry: true,
    backOff: { waitMs: Math.min(backOff.waitMs * 2, limits.maxMs), updatedAt: now },
  };
}
