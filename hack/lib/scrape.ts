// For hack/demo: shows lines of a metrics page, or watches several pages and counts how many fail at one moment.
//   scrape.ts show URL NAME...     scrape.ts watch URL...   (until SIGTERM)

const [verb, ...args] = process.argv.slice(2);
const PERIOD_MS = 50;

async function isUp(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

async function show(url: string, names: readonly string[]): Promise<void> {
  const text = await (await fetch(url)).text();
  for (const line of text.split('\n'))
    if (names.some((name) => line.startsWith(name))) console.log(`   ${line}`);
  console.log(`   ... and ${text.split('\n').length} lines in all`);
}

/** All pages are asked together, so that what fails in one round was down at one time. */
async function watch(urls: readonly string[]): Promise<void> {
  let stopped = false;
  let rounds = 0;
  let worst = 0;
  const failed = new Map<string, number>();
  process.on('SIGTERM', () => {
    stopped = true;
  });
  while (!stopped) {
    const states = await Promise.all(urls.map(isUp));
    rounds += 1;
    const down = urls.filter((_, index) => !states[index]);
    worst = Math.max(worst, down.length);
    for (const url of down) failed.set(url, (failed.get(url) ?? 0) + 1);
    await new Promise((resolve) => setTimeout(resolve, PERIOD_MS));
  }
  console.log(
    `at most ${worst} node${worst === 1 ? ' was' : 's were'} down at any moment (${rounds} rounds of questions)`,
  );
  for (const url of urls)
    console.log(`${new URL(url).hostname}: ${failed.get(url) ?? 0} rounds without an answer`);
}

if (verb === 'show' && args[0]) await show(args[0], args.slice(1));
else if (verb === 'watch' && args.length > 0) await watch(args);
else {
  console.error('usage: scrape.ts show URL NAME... | watch URL...');
  process.exitCode = 2;
}
