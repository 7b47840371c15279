// Loaded into the agent and the plane by bench/soak.ts alone. On SIGUSR2 all garbage is collected, so that memory is
// comparable. SOAK_LEAK=memory or files is the bug that shows that the soak can fail.
import { openSync } from 'node:fs';

process.on('SIGUSR2', () => {
  for (let round = 0; round < 3; round++) globalThis.gc();
});

const kept = [];
const leaks = {
  memory: () => kept.push(new Array(12_500).fill(kept.length)),
  files: () => openSync('/dev/null', 'r'),
};
const leak = leaks[process.env.SOAK_LEAK];
if (leak) setInterval(leak, 200).unref();
