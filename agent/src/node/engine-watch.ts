// Whether the engine answers, and since when it did not: what ended meanwhile ended with it, and has not crashed.
import type { Logger } from 'pino';
import { isRuntimeError, type RuntimeContainer } from '../runtime/container-runtime.ts';
import type { KnownEngine } from './known-engine.ts';

export interface EngineWatchParts {
  readonly runtime: Pick<KnownEngine, 'list' | 'known' | 'follow'>;
  readonly logger: Logger;
  readonly monotonicNow: () => number;
  /** What is wrong with it is something else now. */
  readonly onTrouble: () => void;
}

export interface EngineWatch {
  /** `goneAt`: since then it was away, until it answered this. */
  readonly look: () => Promise<{
    readonly containers: readonly RuntimeContainer[];
    readonly goneAt: number | undefined;
  }>;
  /** Its containers without a list of them; undefined when only that can tell. */
  readonly known: () => Promise<readonly RuntimeContainer[] | undefined>;
  readonly follow: (onChange: () => void, signal: AbortSignal) => void;
  readonly trouble: () => string | undefined;
  /** Somebody has asked it, whatever it said. */
  readonly looked: () => boolean;
}

export function createEngineWatch(parts: EngineWatchParts): EngineWatch {
  const { runtime, logger, monotonicNow, onTrouble } = parts;
  let looked = false;
  let gone: number | undefined;
  /** Since then nobody hears what it tells: it may have answered, and have gone once more, unheard. */
  let deafSince: number | undefined;
  let trouble: string | undefined = 'the Docker engine has not been asked yet';

  const leaves = () => {
    gone ??= monotonicNow();
  };

  return {
    look: async () => {
      try {
        const containers = await runtime.list();
        if (trouble !== undefined) logger.info('the Docker engine answers');
        trouble = undefined;
        const goneAt = gone;
        gone = undefined;
        return { containers, goneAt };
      } catch (error) {
        const { message } = error as Error;
        if (trouble !== message) onTrouble();
        trouble = message;
        // One that is only slow has ended nothing.
        if (isRuntimeError(error, 'unreachable')) leaves();
        throw error;
      } finally {
        looked = true;
      }
    },
    known: async () => {
      const answers = () => trouble === undefined && gone === undefined;
      // What is wrong with it its list tells.
      const known = answers() ? await runtime.known().catch(() => undefined) : undefined;
      return answers() ? known : undefined;
    },
    follow: (onChange, signal) => {
      const onOpen = () => {
        gone ??= deafSince;
        deafSince = undefined;
      };
      const onLost = () => {
        leaves();
        deafSince ??= monotonicNow();
      };
      runtime.follow({ onOpen, onChange: () => onChange(), onLost }, signal);
    },
    trouble: () => trouble,
    looked: () => looked,
  };
}
