// Runs a property with a fixed seed, so that a run says the same on every machine, and shows that a property
// catches the mutant it was written against. FC_SEED=<number> and FC_RUNS=<factor> look elsewhere and longer.
import fc from 'fast-check';
import { expect } from 'vitest';

const seed = Number(process.env.FC_SEED ?? 20_260_727);
const factor = Number(process.env.FC_RUNS ?? 1);

/** `examples` are rare cases that are tried first, whatever the dice say. */
export function holds<Ts>(property: fc.IRawProperty<Ts>, numRuns: number, examples: Ts[] = []): void {
  fc.assert(property, { seed, examples, numRuns: numRuns * factor });
}

/** The property fails for a deliberately broken variant; otherwise it would prove nothing. */
export function isCaught<Ts>(property: fc.IRawProperty<Ts>, numRuns: number, examples: Ts[] = []): void {
  const details = fc.check(property as fc.IProperty<Ts>, { seed, examples, numRuns, endOnFailure: true });
  expect(details.failed, 'the mutant went unnoticed').toBe(true);
}
