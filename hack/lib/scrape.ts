// For hack/demo: shows lines of a metrics page, or watches several pages and counts how many fail at one moment.
//   scrape.ts show URL NAME...     scrape.ts watch URL...   (until SIGTERM)

import { once } from 'node:events';
import { watchDowntime } from '../../e2e/src/downtime-watch.ts';

const [verb, ...args] = process.argv.slice(2);

async function show(url: string, names: readonly string[]): Promise<void> {
  const text = await (await fetch(url)).text();
  for (const line of text.split('\n'))
    if (names.some((name) => line.startsWith(name))) console.log(`   ${line}`);
  console.log(`   ... and ${text.split('\n').length} lines in all`);
}

async function watch(urls: readonly string[]): Promise<void> {
  const pages = watchDowntime(urls);
  await once(process, 'SIGTERM');
  await pages.stop();
  const worst = pages.worst();
  console.log(
    `at most ${worst} node${worst === 1 ? ' was' : 's were'} down at any moment (${pages.rounds()} rounds of questions)`,
  );
  for (const url of urls)
    console.log(`${new URL(url).hostname}: ${pages.failedOf(url)} rounds without an answer`);
}

if (verb === 'show' && args[0]) await show(args[0], args.slice(1));
else if (verb === 'watch' && args.length > 0) await watch(args);
else {
  console.error('usage: scrape.ts show URL NAME... | watch URL...');
  process.exitCode = 2;
}
