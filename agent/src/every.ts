// Does something again and again, for as long as the agent lives.

import { pause } from './pause.ts';

export interface Rhythm {
  readonly periodMs: number;
  /** After a failure. */
  readonly retryMs: number;
}

/** Runs the first time at once. */
export async function every(
  { periodMs, retryMs }: Rhythm,
  signal: AbortSignal,
  run: () => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    const waitMs = await run().then(
      () => periodMs,
      () => retryMs,
    );
    await pause(waitMs, signal);
  }
}
