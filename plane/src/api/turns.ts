// Who may work next, of those whose answers are long: one slice at a time, each user in turn, and between two slices
// everything else that happens in the plane.

export interface Turns {
  /** Resolves when a slice may be worked on: at once afterwards, and for a few milliseconds at most. */
  readonly take: (user: string) => Promise<void>;
}

export function createTurns(next: (callback: () => void) => void = setImmediate): Turns {
  /** In the order in which they come next. */
  const waiting = new Map<string, (() => void)[]>();
  let isScheduled = false;

  const schedule = () => {
    if (isScheduled || waiting.size === 0) return;
    isScheduled = true;
    next(giveOne);
  };
  const giveOne = () => {
    isScheduled = false;
    for (const [user, queue] of waiting) {
      const go = queue.shift();
      waiting.delete(user);
      if (queue.length > 0) waiting.set(user, queue);
      go?.();
      break;
    }
    schedule();
  };

  return {
    take: (user) =>
      new Promise((resolve) => {
        const queue = waiting.get(user);
        if (queue) queue.push(resolve);
        else waiting.set(user, [resolve]);
        schedule();
      }),
  };
}
