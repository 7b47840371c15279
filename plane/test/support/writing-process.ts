// A process that writes to a store as fast as it can and says each thing that was acknowledged, until it is killed.
import { writeSync } from 'node:fs';
import { openSqliteStore } from '../../src/store/sqlite-store.ts';
import type { Write } from '../../src/store/store.ts';

const [, , path = '', round = '0'] = process.argv;
const store = openSqliteStore(path);
const say = (line: object) => writeSync(1, `${JSON.stringify(line)}\n`);
say({ opened: store.version() });

/** Three objects at once, one of an older batch gone, a counter overwritten, and something volatile. */
const batch = (number: number): Write[] => [
  ...['a', 'b', 'c'].map((part) => ({
    collection: 'batches',
    id: `${round}.${number}/${part}`,
    value: { number },
    durable: true,
  })),
  ...(number > 0
    ? [{ collection: 'batches', id: `${round}.${number - 1}/c`, durable: true } satisfies Write]
    : []),
  { collection: 'counters', id: round, value: { number }, durable: true },
  { collection: 'volatile', id: 'last', value: { number }, durable: false },
];

let number = 0;
async function writeForEver(): Promise<never> {
  for (;;) {
    const mine = number++;
    const result = await store.commit(batch(mine));
    say({ number: mine, versions: result.committed ? result.versions : [] });
  }
}
// Several at once, so that transactions hold more than one batch. They wait for one another's numbers in no way.
await Promise.all([writeForEver(), writeForEver(), writeForEver()]);
