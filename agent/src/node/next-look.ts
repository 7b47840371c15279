// Lets an action wait until the engine has been looked at again.

export interface NextLook {
  readonly wait: (signal: AbortSignal) => Promise<void>;
  /** There was a look. */
  readonly over: () => void;
}

export function createNextLook(): NextLook {
  const waiting = new Set<() => void>();
  return {
    wait: (signal) =>
      new Promise((resolve) => {
        const over = () => {
          waiting.delete(over);
          signal.removeEventListener('abort', over);
          resolve();
        };
        waiting.add(over);
        signal.addEventListener('abort', over);
        if (signal.aborted) over();
      }),
    over: () => {
      for (const wake of waiting) wake();
    },
  };
}
