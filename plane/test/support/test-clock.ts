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

const BEAT_MS = 10;
const MOST_MS = 5 * BEAT_MS;

/** A clock for a plane and nodes of this process, by which no time passes while the process is paused: a node that could
 *  not speak meanwhile has not been silent. Its end is `stop`. */
export function startUnpausedClock(): { readonly now: () => number; readonly stop: () => void } {
  let at = 0;
  let before = performance.now();
  const beat = setInterval(() => {
    const now = performance.now();
    at += Math.min(now - before, MOST_MS);
    before = now;
  }, BEAT_MS);
  return { now: () => at, stop: () => clearInterval(beat) };
}
