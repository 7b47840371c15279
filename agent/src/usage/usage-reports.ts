// Tells what is used while somebody looks: a second after the first question, then every 15 seconds and whenever
// somebody asks. Nothing is measured otherwise.
import type { Usage } from '@fleetset/proto/gen/fleetset/v1/node';
import type { RuntimeContainer } from '../runtime/container-runtime.ts';
import { type TakeSample, type UsageSample, usageBetween } from './take-sample.ts';

const FIRST_WINDOW_MS = 1000;
const WINDOW_MS = 15_000;
/** Over less a rate says little: who asks sooner is told the last one. */
const SHORTEST_WINDOW_MS = 2000;
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
  let before: UsageSample | undefined;
  let told: Usage | undefined;
  let timer: NodeJS.Timeout | undefined;

  const rest = () => {
    clearTimeout(timer);
    before = undefined;
    told = undefined;
  };
  signal.addEventListener('abort', rest, { once: true });

  const sample = () => parts.take(parts.containers(), monotonicNow());

  const tell = (earlier: UsageSample) => {
    before = sample();
    told = usageBetween(earlier, before);
    parts.send(told);
  };

  const later = (ms: number) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (!before || monotonicNow() >= until) return rest();
      attempt(tell, before);
      later(WINDOW_MS);
    }, ms);
  };

  const attempt = <T>(run: (earlier: T) => void, earlier: T) => {
    try {
      run(earlier);
    } catch (error) {
      parts.onFailure(error);
    }
  };

  const begin = () => {
    before = sample();
    later(FIRST_WINDOW_MS);
  };

  return (forMs) => {
    if (signal.aborted) return;
    until = Math.max(until, monotonicNow() + Math.min(forMs, LONGEST_MS));
    if (!before) return attempt(begin, undefined);
    if (monotonicNow() - before.at >= SHORTEST_WINDOW_MS) {
      attempt(tell, before);
      later(WINDOW_MS);
    } else if (told) parts.send(told);
  };
}
