// Run as a process of its own: writes one file durably, again and again, until it is killed. Says each time so.
import { writeDurable } from '../../src/state/durable-file.ts';

const path = process.argv[2] ?? '';
/** Long enough that a kill falls into a write. */
const LENGTH = 1 << 20;

for (let round = 0; ; round++) {
  await writeDurable(path, `${round}\n${String(round % 10).repeat(LENGTH)}\n${round}`);
  process.stdout.write('.');
}
