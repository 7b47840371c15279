// Asks a page of every node again and again, and knows how many were down at one moment.

export interface DowntimeWatch {
  /** How many were down together for sure. */
  readonly worst: () => number;
  /** How often the page that was asked most seldom was asked. */
  readonly rounds: () => number;
  /** How often it did not answer; a page with several addresses goes by the first. */
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

interface Interval {
  readonly from: number;
  to: number;
}
interface Page {
  readonly urls: readonly string[];
  rounds: number;
  failed: number;
  /** When it was down for sure: from the end of the first question without an answer to the beginning of the last. */
  readonly down: Interval[];
}

/** Each page is asked by itself: one that answers late says nothing of how the others are by then. */
async function watchPage(page: Page, isStopped: () => boolean): Promise<void> {
  let current: Interval | undefined;
  while (!isStopped()) {
    const asked = performance.now();
    const answers = (await Promise.all(page.urls.map(isUp))).some(Boolean);
    page.rounds += 1;
    if (answers) current = undefined;
    else {
      page.failed += 1;
      if (current) current.to = asked;
      else {
        current = { from: performance.now(), to: 0 };
        page.down.push(current);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, PERIOD_MS));
  }
}

const isDownAt = (moment: number, { down }: Page) =>
  down.some(({ from, to }) => from <= moment && moment <= to);

function mostAtOnce(pages: readonly Page[]): number {
  const moments = pages.flatMap(({ down }) => down.map(({ from }) => from));
  const counts = moments.map((moment) => pages.filter((page) => isDownAt(moment, page)).length);
  const anyFailed = pages.some(({ failed }) => failed > 0) ? 1 : 0;
  return Math.max(anyFailed, ...counts);
}

/** A page is up while one of its addresses answers. */
export function watchDowntime(pages: readonly (string | readonly string[])[]): DowntimeWatch {
  const watched = pages.map((page): Page => {
    const urls = typeof page === 'string' ? [page] : page;
    return { urls, rounds: 0, failed: 0, down: [] };
  });
  let stopped = false;
  const ended = Promise.all(watched.map((page) => watchPage(page, () => stopped)));
  return {
    worst: () => mostAtOnce(watched),
    rounds: () => Math.min(...watched.map(({ rounds }) => rounds)),
    failedOf: (url) => watched.find(({ urls }) => urls[0] === url)?.failed ?? 0,
    stop: async () => {
      stopped = true;
      await ended;
    },
  };
}

export const textOf = async (url: string): Promise<string> =>
  (await (await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) })).text()).trim();
