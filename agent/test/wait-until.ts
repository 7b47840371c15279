// Waits on a condition, never for a time: looks again every few milliseconds until it holds or the limit is over.
// Works with faked timers too: it keeps the real ones.
const realSetTimeout = globalThis.setTimeout;
const realNow = performance.now.bind(performance);

const LOOK_EVERY_MS = 5;

/** Resolves with the first answer that says something: undefined, null, false and an empty text do not. */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  // Only against a hang: a loaded machine is slow, and that is no failure.
  limitMs = 120_000,
): Promise<Exclude<T, undefined | false | null>> {
  const deadline = realNow() + limitMs;
  let last: unknown;
  for (;;) {
    try {
      const answer = await look();
      if (answer !== undefined && answer !== false && answer !== null && answer !== '')
        return answer as Exclude<T, undefined | false | null>;
      last = answer;
    } catch (error) {
      last = error;
    }
    if (realNow() > deadline) throw new Error(`never came true: ${what} (last: ${String(last)})`);
    await new Promise((resolve) => realSetTimeout(resolve, LOOK_EVERY_MS));
  }
}
