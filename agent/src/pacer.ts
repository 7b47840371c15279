// Work that may take no more than a share of the time, as far as its rests, which have a limit, can see to that. What is
// done now and then never waits; only where it comes again and again is there a rest in between, in which all that
// happens meanwhile comes together.

export interface PacerParts {
  /** Of the time, in the long run. */
  readonly share: number;
  /** So far ahead of its share it may be without a rest. */
  readonly creditMs: number;
  readonly mostRestMs: number;
}

/** For how long to rest after work that began and ended then. */
export type Pacer = (beganAt: number, endedAt: number) => number;

export function createPacer({ share, creditMs, mostRestMs }: PacerParts): Pacer {
  /** When all that was done will have been its share of the time. */
  let paidAt = Number.NEGATIVE_INFINITY;
  return (beganAt, endedAt) => {
    const owed = Math.max(paidAt, beganAt) + (endedAt - beganAt) / share;
    paidAt = Math.min(owed, endedAt + creditMs + mostRestMs);
    return Math.max(0, paidAt - endedAt - creditMs);
  };
}
