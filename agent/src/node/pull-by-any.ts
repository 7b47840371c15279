// Pulls one image, with whichever credential opens its registry, as long as the pull moves.
import { type ContainerRuntime, isRuntimeError } from '../runtime/container-runtime.ts';
import type { PullCredential } from '../runtime/pull-credentials.ts';

/** However long a pull takes, it goes on while the engine tells of progress. */
const PULL_IDLE_LIMIT_MS = 30 * 60_000;

export interface PullParts {
  readonly runtime: Pick<ContainerRuntime, 'pull'>;
  readonly signal: AbortSignal;
}

/** Each that fits is tried until one does; without any the registry is asked as anybody. */
export async function pullByAny(
  parts: PullParts,
  image: string,
  credentials: readonly PullCredential[],
): Promise<void> {
  const [first, ...others] = credentials;
  try {
    await pullWhileItMoves(parts, image, first);
  } catch (error) {
    const isPull = isRuntimeError(error, 'pull-failed') || isRuntimeError(error, 'pull-refused');
    if (others.length === 0 || !isPull || parts.signal.aborted) throw error;
    await pullByAny(parts, image, others);
  }
}

async function pullWhileItMoves(
  { runtime, signal }: PullParts,
  image: string,
  credential: PullCredential | undefined,
): Promise<void> {
  const idle = new AbortController();
  const giveUp = () => idle.abort(new Error(`no progress in ${PULL_IDLE_LIMIT_MS / 60_000} minutes`));
  const timer = setTimeout(giveUp, PULL_IDLE_LIMIT_MS).unref();
  try {
    await runtime.pull(image, AbortSignal.any([signal, idle.signal]), () => timer.refresh(), credential);
  } finally {
    clearTimeout(timer);
  }
}
