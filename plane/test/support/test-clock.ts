// The plane's clock in the hands of a test: while it is held, no grace and no deadline passes, however long a loaded machine
// makes the test wait. Timers are real: what waits for a time looks again by itself, and goes by this clock.
export interface TestClock {
  readonly now: () => number;
  readonly hold: () => void;
  /** It goes on by itself. */
  readonly run: () => void;
  /** So many milliseconds go by at once. */
  readonly pass: (ms: number) => void;
}

export function startClock(): TestClock {
  let offMs = 0;
  let heldAt: number | undefined;
  const now = () => heldAt ?? performance.now() + offMs;
  return {
    now,
    hold: () => {
      heldAt ??= now();
    },
    run: () => {
      if (heldAt !== undefined) offMs = heldAt - performance.now();
      heldAt = undefined;
    },
    pass: (ms) => {
      if (heldAt === undefined) offMs += ms;
      else heldAt += ms;
    },
  };
}
