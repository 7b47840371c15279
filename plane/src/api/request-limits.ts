// What one request may take of the plane: a seat, a time, or one of so many watches.
import type { ServerResponse } from 'node:http';
import { durationMs } from '@fleetset/scheduler-core/duration';
import { ApiError, badRequest } from './api-error.ts';
import { createSeats, type Seats } from './seats.ts';
import { createTurns, type Turns } from './turns.ts';

export interface RequestLimits {
  /** Of requests that are answered and done with. */
  readonly seats: Seats;
  /** Of watches, logs, exec, attach and port-forward. */
  readonly longSeats: Seats;
  readonly turns: Turns;
  /** The longest that a request may take, but for those that last. */
  readonly timeoutMs: number;
  /** TCP connections at once. */
  readonly connections: number;
  /** How long what is under way at a stop may take. */
  readonly stopMs: number;
}

export const DEFAULT_LIMITS = {
  total: 400,
  perUser: 100,
  queuedPerUser: 200,
  longTotal: 10_000,
  longPerUser: 2500,
  timeoutMs: 60_000,
  connections: 20_000,
  stopMs: 5000,
} as const;

export type LimitSettings = { readonly [limit in keyof typeof DEFAULT_LIMITS]: number };

export function createLimits(settings: Partial<LimitSettings> = {}): RequestLimits {
  const { total, perUser, queuedPerUser, longTotal, longPerUser, ...rest } = {
    ...DEFAULT_LIMITS,
    ...settings,
  };
  return {
    seats: createSeats({ total, perUser, queuedPerUser }, 'requests'),
    // A watch that would have to wait for another to end might wait for hours.
    longSeats: createSeats(
      { total: longTotal, perUser: longPerUser, queuedPerUser: 0 },
      'watches and streams',
    ),
    turns: createTurns(),
    ...rest,
  };
}

/** As the client asks with ?timeout=34s, and no longer than the plane allows. */
export function timeoutOf(query: URLSearchParams, longestMs: number): number {
  const text = query.get('timeout');
  if (text === null || text === '') return longestMs;
  const asked = text === '0' ? 0 : durationMs(text);
  if (asked === undefined)
    throw badRequest(`timeout: Invalid value: ${JSON.stringify(text)}: must be a duration, such as 34s`);
  return asked > 0 ? Math.min(asked, longestMs) : longestMs;
}

const tooLate = (): ApiError =>
  new ApiError(504, 'Timeout', 'Timeout: request did not complete within the allotted timeout', {});

const isGone = (): ApiError => new ApiError(499, 'ClientClosedRequest', 'the client is gone');

/**
 * With a seat, and within the time. What is not done by then goes on unseen: a write may still be made, as after a 504
 * of Kubernetes. `serve` is told when its answer is of use to nobody.
 */
export async function serveInTime(
  { seats }: RequestLimits,
  user: string,
  response: ServerResponse,
  timeoutMs: number,
  serve: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const over = new AbortController();
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    over.abort(tooLate());
    late.reject(tooLate());
  }, timeoutMs);
  const onClose = () => over.abort(isGone());
  response.once('close', onClose);
  const seated = async () => {
    const leave = await seats.take(user, over.signal);
    try {
      await serve(over.signal);
    } finally {
      leave();
    }
  };
  try {
    await Promise.race([seated(), late.promise]);
  } finally {
    clearTimeout(timer);
    response.off('close', onClose);
  }
}

/** For as long as the client wants, or until the plane stops. */
export async function serveLong(
  { longSeats }: RequestLimits,
  user: string,
  signal: AbortSignal,
  serve: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const leave = await longSeats.take(user, signal);
  try {
    await serve(signal);
  } finally {
    leave();
  }
}
