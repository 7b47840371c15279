// Tells what is used while somebody looks: soon after the first question, then every 15 seconds. Nothing is measured
// otherwise.
import type { Usage } from '@fleetset/proto/gen/fleetset/v1/node';
import { pause } from '../pause.ts';
import type { RuntimeContainer } from '../runtime/container-runtime.ts';
import { type TakeSample, type UsageSample, usageBetween } from './take-sample.ts';

const FIRST_WINDOW_MS = 1000;
const WINDOW_MS = 15_000;
/** However long somebody asks for. */
const LONGEST_MS = 600_000;

export interface UsageParts {
  readonly take: TakeSample;
  readonly containers: () => readonly RuntimeContainer[];
  readonly send: (usage: Usage) => void;
  readonly monotonicNow: () => number;
  readonly signal: AbortSignal;
  readonly onFailure: (error: unknown) => void;
}

/** The answer is called for each question: usage is wanted for so long from now. */
export function createUsageReports(parts: UsageParts): (forMs: number) => void {
  const { monotonicNow, signal } = parts;
  let until = 0;
  let told: Usage | undefined;
  let running = false;

  const sample = () => parts.take(parts.containers(), monotonicNow());

  const run = async () => {
    let before: UsageSample = sample();
    for (let windowMs = FIRST_WINDOW_MS; ; windowMs = WINDOW_MS) {
      await pause(windowMs, signal);
      if (signal.aborted || monotonicNow() >= until) return;
      const now = sample();
      told = usageBetween(before, now);
      before = now;
      parts.send(told);
    }
  };

  return (forMs) => {
    until = Math.max(until, monotonicNow() + Math.min(forMs, LONGEST_MS));
    if (running) {
      // Who asks may be another plane than before.
      if (told) parts.send(told);
      return;
    }
    running = true;
    run()
      .catch(parts.onFailure)
      .finally(() => {
        running = false;
        told = undefined;
      });
  };
}
