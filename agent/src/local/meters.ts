// What the agent counts of its own work, for /metrics.
import type { ContainerRuntime, RuntimeFailure } from '../runtime/container-runtime.ts';
import { RuntimeError } from '../runtime/container-runtime.ts';

export interface Histogram {
  /** Upper bounds in seconds, with how many were at most that long. */
  readonly buckets: readonly (readonly [bound: number, count: number])[];
  readonly sum: number;
  readonly count: number;
}

export interface Meters {
  readonly passEnded: (durationMs: number, failed: boolean) => void;
  readonly engineFailed: (call: string, kind: RuntimeFailure) => void;
  readonly pullEnded: (result: 'success' | 'failure') => void;
  readonly reportSent: () => void;
  readonly imageRemoved: (bytes: number) => void;
  readonly now: () => Counts;
}

export interface Counts {
  readonly passes: Histogram;
  readonly failedPasses: number;
  /** By `call kind`. */
  readonly engineErrors: ReadonlyMap<string, number>;
  readonly pulls: { readonly success: number; readonly failure: number };
  readonly reports: number;
  readonly imagesRemoved: number;
  readonly imageBytesRemoved: number;
}

const BOUNDS = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15];

export function createMeters(): Meters {
  const below = BOUNDS.map(() => 0);
  let [sum, count, failedPasses, reports, imagesRemoved, imageBytesRemoved] = [0, 0, 0, 0, 0, 0];
  const engineErrors = new Map<string, number>();
  const pulls = { success: 0, failure: 0 };
  return {
    passEnded: (durationMs, failed) => {
      const seconds = durationMs / 1000;
      for (const [index, bound] of BOUNDS.entries())
        if (seconds <= bound) below[index] = (below[index] ?? 0) + 1;
      sum += seconds;
      count += 1;
      if (failed) failedPasses += 1;
    },
    engineFailed: (call, kind) => {
      const key = `${call} ${kind}`;
      engineErrors.set(key, (engineErrors.get(key) ?? 0) + 1);
    },
    pullEnded: (result) => {
      pulls[result] += 1;
    },
    reportSent: () => {
      reports += 1;
    },
    imageRemoved: (bytes) => {
      imagesRemoved += 1;
      imageBytesRemoved += bytes;
    },
    now: () => ({
      passes: { buckets: BOUNDS.map((bound, index) => [bound, below[index] ?? 0]), sum, count },
      failedPasses,
      engineErrors,
      pulls,
      reports,
      imagesRemoved,
      imageBytesRemoved,
    }),
  };
}

type Call = (...given: never[]) => unknown;

/** The same engine, and what goes wrong with it is counted. */
export function meteredRuntime(runtime: ContainerRuntime, meters: Meters): ContainerRuntime {
  const failed = (name: string) => (error: unknown) => {
    if (error instanceof RuntimeError) meters.engineFailed(name, error.kind);
    throw error;
  };
  const counted = Object.entries(runtime).map(([name, call]: [string, Call]) => [
    name,
    (...given: never[]) => {
      const answer = call(...given);
      return answer instanceof Promise ? answer.catch(failed(name)) : answer;
    },
  ]);
  const metered = Object.fromEntries(counted) as unknown as ContainerRuntime;
  return {
    ...metered,
    pull: async (...given) => {
      try {
        await metered.pull(...given);
        meters.pullEnded('success');
      } catch (error) {
        meters.pullEnded('failure');
        throw error;
      }
    },
  };
}
