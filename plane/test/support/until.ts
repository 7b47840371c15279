// Waits for a condition, bounded: a test never sleeps and never hangs.

const LOOK_EVERY_MS = 4;
/** The real clock, also while a test holds the plane's. */
const { setTimeout, clearTimeout, setImmediate } = globalThis;
/** Only against a hang: a loaded machine is slow, and that is no failure. */
export const PATIENCE_MS = 60_000;

/** Answers what `look` finds; fails with `what` when it finds nothing in time. */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | null | Promise<T | undefined | false | null>,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const end = performance.now() + patienceMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false && found !== null) return found;
    if (performance.now() > end) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** The promise, or a failure that says what was waited for. */
export async function within<T>(what: string, promise: Promise<T>, patienceMs = PATIENCE_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`never happened: ${what}`)), patienceMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Enough turns of the event loop for what is already under way in this process to show. */
export async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}
