// Does something again and again, for as long as the agent lives.

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

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', over);
      resolve();
    };
    const timer = setTimeout(over, ms).unref();
    if (signal.aborted) over();
    else signal.addEventListener('abort', over);
  });
}
