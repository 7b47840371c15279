// Kills, restarts, updates and changes of config over and over, on a real plane, agent and engine, while memory, open
// files, containers, mounts, state and logs stay flat. `node bench/soak.ts [--seconds 80] [--leak WHAT]
// [--heap-snapshots FOLDER]` Ends with 1 when something has grown, or a container was doubled or orphaned; a leak is a
// bug that shows that it can. The engine is the one that DOCKER_HOST names.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type BenchFleet, dockerSocket, ROOT, startBenchFleet } from './src/bench-fleet.ts';
import { judge, LOG_FILES, LOG_KIB, openFigures, type Phase, type Sample } from './src/soak-figures.ts';
import { openSoakFleet, type SoakFleet } from './src/soak-fleet.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string' },
    leak: { type: 'string' },
    'heap-snapshots': { type: 'string' },
  },
});
const SECONDS = Number(values.seconds ?? 80);
const LEAK = values.leak;
const LEAKS = ['memory', 'files', 'log', 'containers', 'orphans', 'container-logs', 'state', 'database'];
if (!(SECONDS > 0) || (LEAK !== undefined && !LEAKS.includes(LEAK))) {
  console.error(
    `usage: node bench/soak.ts [--seconds N] [--leak ${LEAKS.join('|')}] [--heap-snapshots FOLDER]`,
  );
  process.exit(2);
}
/** Of the agent's, when something is wrong; in characters. */
const LOG_SHOWN = 8000;
const HOOK = fileURLToPath(new URL('src/soak-hook.mjs', import.meta.url));

let round = 0;
const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => stopping.abort(new Error(`stopped by ${signal}`)));

async function phase(
  fleet: BenchFleet,
  soak: SoakFleet,
  name: Phase,
  sample: () => Promise<Sample>,
): Promise<Sample[]> {
  const other = name === 'agent lives' ? fleet.plane : fleet.agent;
  const samples: Sample[] = [];
  const endAt = performance.now() + (SECONDS / 2) * 1000;
  // At least as many rounds as judging takes.
  while (performance.now() < endAt || samples.length < 4) {
    stopping.signal.throwIfAborted();
    round += 1;
    if (LEAK) await soak.leak(LEAK, round);
    const disturbing = soak.disturb(round);
    if (round % 2 === 0) await disturbing;
    await other.stop(round % 3 === 0 ? 'SIGTERM' : 'SIGKILL');
    await other.start();
    await disturbing;
    await soak.settled(round);
    await soak.readLogs();
    const now = await sample();
    samples.push(now);
    process.stderr.write(
      `${name}, round ${round}: agent ${now.agentPrivate.toFixed(1)} MiB, heap ${now.agentHeap.toFixed(1)}, ${now.agentFiles} files; plane ${now.planePrivate.toFixed(1)} MiB, heap ${now.planeHeap.toFixed(1)}, history ${now.planeHistory.toFixed(1)}, ${now.planeFiles} files; ${now.containers} containers, ${now.events} events\n`,
    );
  }
  return samples;
}

const heaps = mkdtempSync(join(tmpdir(), 'fleetset-soak-'));
process.once('exit', () => rmSync(heaps, { recursive: true }));
process.env.SOAK_HEAPS = heaps;
if (values['heap-snapshots']) process.env.SOAK_SNAPSHOTS = resolve(values['heap-snapshots']);
process.env.FLEETSET_NODE_FLAGS = `--expose-gc --import=${HOOK}`;
if (LEAK) process.env.SOAK_LEAK = LEAK;
execFileSync('hack/images/build', ['busybox'], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
const fleet = await startBenchFleet([
  `dockerSocket: ${dockerSocket()}`,
  `containerLogMaxSize: ${LEAK === 'container-logs' ? '100Mi' : `${LOG_KIB}Ki`}`,
  `containerLogMaxFiles: ${LOG_FILES}`,
]);
const problems: string[] = [];
const begun = performance.now();
try {
  const soak = await openSoakFleet(fleet);
  try {
    await soak.create();
    await soak.settled(0);
    const sample = openFigures(fleet, soak, heaps);
    const phases = {
      'agent lives': await phase(fleet, soak, 'agent lives', sample),
      'plane lives': await phase(fleet, soak, 'plane lives', sample),
    };
    const took = ((performance.now() - begun) / 1000).toFixed(0);
    console.log(`soak: ${round} rounds in ${took} s; first and last quarter of each phase`);
    problems.push(...judge(phases));
  } catch (error) {
    problems.push((error as Error).message);
  }
  await soak.remove().catch((error: Error) => problems.push(error.message));
  problems.push(...soak.violations());
} finally {
  if (problems.length > 0)
    process.stderr.write(`${readFileSync(fleet.agent.logFile, 'utf8').slice(-LOG_SHOWN)}\n`);
  await fleet.close().catch((error: Error) => problems.push(error.message));
}
for (const problem of problems) console.error(`soak: ${problem}`);
if (problems.length === 0) console.log('soak: nothing grew, nothing was doubled, nothing is left behind');
process.exitCode = problems.length > 0 ? 1 : 0;
