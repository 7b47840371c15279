// The level-triggered loop that both shells are built around: any number of wakes become at least one pass that
// began after the last of them; never two passes at once; a failed pass is tried again, later each time; and none begins
// before the rest is over that the one before asked for.

export interface LevelLoopParts {
  /** Looks at the world as it is now and does what it can. Answers when to look again by itself, if ever, and for how
   *  long it is not worth it, whoever wakes. */
  readonly pass: () => Promise<{ readonly againInMs?: number; readonly restMs?: number }>;
  /** Calls back once after the delay; the answer cancels it. */
  readonly schedule: (delayMs: number, callback: () => void) => () => void;
  readonly onFailure: (error: unknown, retryInMs: number) => void;
  readonly retryMs?: { readonly first: number; readonly max: number };
}

export interface LevelLoop {
  /** Something may have changed. Cheap, callable from anywhere, also during a pass. */
  readonly wake: () => void;
  /** No further pass begins; resolves when the running one has ended. */
  readonly stop: () => Promise<void>;
}

export function startLevelLoop(parts: LevelLoopParts): LevelLoop {
  const retry = parts.retryMs ?? { first: 100, max: 10_000 };
  let dirty = false;
  let stopped = false;
  let running: Promise<void> | undefined;
  let cancelTimer: (() => void) | undefined;
  let endRest: (() => void) | undefined;
  let failures = 0;

  const wakeIn = (delayMs: number) => {
    cancelTimer?.();
    cancelTimer = parts.schedule(delayMs, wake);
  };

  const rest = (restMs: number) =>
    new Promise<void>((resolve) => {
      const cancel = parts.schedule(restMs, resolve);
      endRest = () => {
        cancel();
        resolve();
      };
    });

  const onePass = async () => {
    try {
      const { againInMs, restMs = 0 } = await parts.pass();
      failures = 0;
      if (againInMs !== undefined && !stopped) wakeIn(againInMs);
      if (restMs > 0 && !stopped) await rest(restMs);
    } catch (error) {
      const retryInMs = Math.min(retry.first * 2 ** failures, retry.max);
      failures += 1;
      parts.onFailure(error, retryInMs);
      if (!stopped) wakeIn(retryInMs);
    }
  };

  const runWhileDirty = async () => {
    while (dirty && !stopped) {
      dirty = false;
      cancelTimer?.();
      cancelTimer = undefined;
      await onePass();
    }
    running = undefined;
  };

  function wake() {
    dirty = true;
    if (running || stopped) return;
    // Not at once: a pass that wakes or stops the loop as its first deed has to find it running.
    running = Promise.resolve().then(runWhileDirty);
  }

  return {
    wake,
    stop: async () => {
      stopped = true;
      cancelTimer?.();
      endRest?.();
      await running;
    },
  };
}
