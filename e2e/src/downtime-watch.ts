// Asks a page of every node again and again, and knows how many were down at one moment.

export interface DowntimeWatch {
  readonly worst: () => number;
  readonly rounds: () => number;
  /** In how many rounds each did not answer; of a page with several addresses by the first. */
  readonly failedOf: (url: string) => number;
  readonly stop: () => Promise<void>;
}

const PERIOD_MS = 20;
/** Who is stopped refuses at once; who only hangs is down too. A loaded machine may take a second to answer. */
const PATIENCE_MS = 10_000;

async function isUp(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

/**
 * A page counts as down in a round when it did not answer then, at any of its addresses. All of a round are asked
 * together.
 */
export function watchDowntime(pages: readonly (string | readonly string[])[]): DowntimeWatch {
  const addresses = pages.map((page) => (typeof page === 'string' ? [page] : page));
  let worst = 0;
  let rounds = 0;
  let stopped = false;
  const failed = new Map<string, number>();
  const ended = (async () => {
    while (!stopped) {
      const states = await Promise.all(
        addresses.map(async (urls) => (await Promise.all(urls.map(isUp))).some(Boolean)),
      );
      rounds += 1;
      const down = addresses.filter((_, index) => !states[index]).map(([first = '']) => first);
      worst = Math.max(worst, down.length);
      for (const url of down) failed.set(url, (failed.get(url) ?? 0) + 1);
      await new Promise((resolve) => setTimeout(resolve, PERIOD_MS));
    }
  })();
  return {
    worst: () => worst,
    rounds: () => rounds,
    failedOf: (url) => failed.get(url) ?? 0,
    stop: async () => {
      stopped = true;
      await ended;
    },
  };
}

export const textOf = async (url: string): Promise<string> =>
  (await (await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) })).text()).trim();
