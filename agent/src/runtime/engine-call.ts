// How the engine is asked: each call has a deadline, and what goes wrong is told in our own kinds.
import { withinTimer } from '../timer-limit.ts';
import { RuntimeError, type RuntimeFailure } from './container-runtime.ts';

const CALL_TIMEOUT_MS = 15_000;
/** Creating and starting wait for the disk and for other containers. */
export const SLOW_CALL_TIMEOUT_MS = 120_000;

export async function call<T>(
  what: string,
  run: (signal: AbortSignal) => Promise<T>,
  timeoutMs = CALL_TIMEOUT_MS,
): Promise<T> {
  const deadline = AbortSignal.timeout(withinTimer(timeoutMs));
  // Not every call of dockerode hears the signal.
  const late = new Promise<never>((_resolve, reject) => {
    deadline.addEventListener('abort', () => reject(deadline.reason), { once: true });
  });
  try {
    return await Promise.race([run(deadline), late]);
  } catch (error) {
    if (deadline.aborted)
      throw new RuntimeError('timeout', `${what}: no answer in ${timeoutMs / 1000} s`, error);
    throw asRuntimeError(what, error);
  }
}

export interface DockerFailure {
  readonly statusCode?: number;
  readonly code?: string;
  readonly message?: string;
  readonly json?: { readonly message?: string };
}

export function asRuntimeError(what: string, error: unknown): RuntimeError {
  if (error instanceof RuntimeError) return error;
  const { statusCode, code, message = String(error), json } = error as DockerFailure;
  const text = (json?.message ?? message).replace(CLIENT_WORDS, '').trim();
  if (code && ['ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EPIPE', 'EACCES', 'ETIMEDOUT'].includes(code))
    return new RuntimeError('unreachable', `the Docker engine does not answer (${what}): ${text}`, error);
  if (/socket hang up/.test(text))
    return new RuntimeError('unreachable', `the Docker engine broke off (${what})`, error);
  return new RuntimeError(failureOf(statusCode, text), text, error);
}

/** What dockerode puts before the engine's own words. */
const CLIENT_WORDS = /^\(HTTP code \d+\) [a-z ]+ - /;

function failureOf(statusCode: number | undefined, text: string): RuntimeFailure {
  if (/no such image/i.test(text)) return 'image-missing';
  if (statusCode === 404) return 'not-found';
  if (statusCode === 409) return 'conflict';
  return statusCode === 400 ? 'invalid' : 'failed';
}

/** For statuses that say that there was nothing to do. */
export async function ignoring(statusCode: number, promise: Promise<unknown>): Promise<void> {
  try {
    await promise;
  } catch (error) {
    if ((error as DockerFailure).statusCode !== statusCode) throw error;
  }
}
