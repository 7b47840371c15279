// Waits for what must become so. Polls; the last reason why not is the failure.

const POLL_MS = 100;

export async function eventually<T>(
  what: string,
  check: () => Promise<T> | T,
  timeoutMs = 120_000,
): Promise<Exclude<T, false | undefined | null>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let why = 'not yet';
    try {
      const value = await check();
      if (value !== false && value !== undefined && value !== null)
        return value as Exclude<T, false | undefined | null>;
    } catch (error) {
      why = (error as Error).message;
    }
    if (performance.now() > deadline)
      throw new Error(`in ${timeoutMs / 1000} s it did not come to this: ${what} (${why})`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
