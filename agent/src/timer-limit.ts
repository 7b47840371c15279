// The longest wait that a timer can do, a little under 25 days: Node fires a longer one at once.

const LONGEST_MS = 2 ** 31 - 1;

export const withinTimer = (milliseconds: number): number => Math.min(milliseconds, LONGEST_MS);
