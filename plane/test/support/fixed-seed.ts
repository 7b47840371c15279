// Properties with a fixed seed, so that a run says the same on every machine. FC_SEED=<number> and FC_RUNS=<factor> look
// elsewhere and longer.
const seed = Number(process.env.FC_SEED ?? 20_261_122);
const factor = Number(process.env.FC_RUNS ?? 1);

/** For fast-check: so many runs of a property. */
export const runs = (numRuns = 100) => ({ seed, numRuns: numRuns * factor });
