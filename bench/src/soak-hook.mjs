// Loaded into the agent and the plane by bench/soak.ts alone. On SIGUSR2 all garbage is collected, so that memory is
// comparable, and what the heap holds is written down. SOAK_LEAK is the bug that shows that the soak can fail.
import { openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { getHeapStatistics, writeHeapSnapshot } from 'node:v8';

const heaps = process.env.SOAK_HEAPS;
const snapshots = process.env.SOAK_SNAPSHOTS;
let asked = 0;

process.on('SIGUSR2', () => {
  for (let round = 0; round < 3; round++) globalThis.gc();
  const { used_heap_size: used } = getHeapStatistics();
  writeFileSync(join(heaps, String(process.pid)), String(used));
  asked += 1;
  // In the 8th, 16th, 32nd ... round of this process.
  if (snapshots && asked >= 8 && (asked & (asked - 1)) === 0)
    writeHeapSnapshot(join(snapshots, `${process.pid}-${asked}.heapsnapshot`));
});

const kept = [];
let ticks = 0;
const leaks = {
  memory: () => kept.push(new Array(12_500).fill(kept.length)),
  files: () => openSync('/dev/null', 'r'),
  log: () => {
    ticks += 1;
    process.stdout.write(`${'a line that comes more and more often\n'.repeat(Math.ceil(ticks / 20))}`);
  },
};
const leak = leaks[process.env.SOAK_LEAK];
const isDaemon = ['agent', 'plane'].includes(process.argv[2]);
if (leak && isDaemon) setInterval(leak, 200).unref();
