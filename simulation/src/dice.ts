// All chance of one run, from its seed.

export interface Dice {
  /** From 0 up to, not including, 1. */
  readonly next: () => number;
  /** Both ends included. */
  readonly int: (from: number, to: number) => number;
  readonly chance: (probability: number) => boolean;
  readonly pick: <T>(from: readonly T[]) => T;
  /** Dice of its own: what is thrown here moves nothing elsewhere. */
  readonly fork: () => Dice;
}

export function createDice(seed: number): Dice {
  let state = seed >>> 0;
  // splitmix32: small, and good enough for neighbouring seeds to have nothing in common.
  const next = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
  const int = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1));
  return {
    next,
    int,
    chance: (probability) => next() < probability,
    pick: (from) => from[int(0, from.length - 1)] as (typeof from)[number],
    fork: () => createDice(int(0, 2 ** 32 - 1)),
  };
}
