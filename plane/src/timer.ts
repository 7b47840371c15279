// One wait, however long: the same for all loops of the plane.

/** More milliseconds than this a timer takes for one: 24.8 days. */
const LONGEST_MS = 2 ** 31 - 1;

/** Calls back once after the delay; the answer cancels it. Of a longer wait only the first 24 days are waited. */
export function schedule(delayMs: number, callback: () => void): () => void {
  const timer = setTimeout(callback, Math.min(delayMs, LONGEST_MS));
  return () => clearTimeout(timer);
}
