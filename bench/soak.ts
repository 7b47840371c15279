// Kills, restarts, updates and changes of config over and over, on a real plane, agent and engine, while memory, open
// files, containers, state and logs stay flat. `node bench/soak.ts [--seconds 80] [--leak memory|files|containers]`
// Ends with 1 when something has grown, or a container was doubled or orphaned; --leak is a bug that shows that it can.
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Docker from 'dockerode';
import { type BenchFleet, pause, ROOT, startBenchFleet } from './src/bench-fleet.ts';
import { median } from './src/median.ts';
import { memoryOf, openFilesOf } from './src/process-figures.ts';
import { openSoakFleet, type SoakFleet } from './src/soak-fleet.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string' }, leak: { type: 'string' } } });
const SECONDS = Number(values.seconds ?? 80);
const LEAK = values.leak;
const LEAKS = ['memory', 'files', 'containers'];
if (!(SECONDS > 0) || (LEAK !== undefined && !LEAKS.includes(LEAK))) {
  console.error(`usage: node bench/soak.ts [--seconds N] [--leak ${LEAKS.join('|')}]`);
  process.exit(2);
}
const LOG_BYTES = 64 * 1024;
const LOG_FILES = 2;
const WRITE_AHEAD_BYTES = 6 * 1024 * 1024;
const HOOK = fileURLToPath(new URL('src/soak-hook.mjs', import.meta.url));

/** All in their own units; judged by how the end of a phase compares with its beginning. */
interface Sample {
  readonly agentPrivate: number;
  readonly planePrivate: number;
  readonly agentFiles: number;
  readonly planeFiles: number;
  readonly containers: number;
  readonly agentState: number;
  readonly planeState: number;
  readonly containerLogs: number;
  readonly agentLog: number;
}

type Phase = 'agent lives' | 'plane lives';

/** Of a process that is killed in each round only a phase in which it lives says anything. `most`: last by first. */
const BOUNDS: readonly {
  readonly figure: keyof Sample;
  readonly what: string;
  readonly phases: readonly Phase[];
  readonly most: number;
}[] = [
  { figure: 'agentPrivate', what: 'agent, private MiB', phases: ['agent lives'], most: 1.25 },
  { figure: 'agentFiles', what: 'agent, open files', phases: ['agent lives'], most: 1.25 },
  // It remembers events for an hour, and 10,000 changes of each kind for watchers.
  { figure: 'planePrivate', what: 'plane, private MiB', phases: ['plane lives'], most: 1.5 },
  { figure: 'planeFiles', what: 'plane, open files', phases: ['plane lives'], most: 1.25 },
  { figure: 'containers', what: 'containers', phases: ['agent lives', 'plane lives'], most: 1.25 },
  { figure: 'agentState', what: "agent's state, KiB", phases: ['agent lives', 'plane lives'], most: 1.25 },
  { figure: 'planeState', what: "plane's state, KiB", phases: ['agent lives', 'plane lives'], most: 1.25 },
  {
    figure: 'containerLogs',
    what: "containers' logs, KiB",
    phases: ['agent lives', 'plane lives'],
    most: 1.5,
  },
  { figure: 'agentLog', what: "agent's log, KiB a round", phases: ['agent lives', 'plane lives'], most: 1.5 },
];

/** Without SQLite's log of what is not yet in the file: it is used from its beginning again at 4 MiB. */
async function bytesBelow(directory: string): Promise<number> {
  let sum = 0;
  for (const entry of await readdir(directory, { withFileTypes: true }).catch(() => [])) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) sum += await bytesBelow(path);
    // What is being written beside is gone a moment later.
    else if (!/-(wal|shm)$/.test(path)) sum += (await stat(path).catch(() => undefined))?.size ?? 0;
  }
  return sum;
}

const docker = new Docker();

async function logBytes(soak: SoakFleet): Promise<number> {
  let sum = 0;
  for (const { Id } of await soak.containers()) {
    const { LogPath } = await docker.getContainer(Id).inspect();
    const names = (await readdir(dirname(LogPath))).filter((name) => name.includes('-json.log'));
    const bytes = names.map((name) => statSync(join(dirname(LogPath), name)).size).reduce((a, b) => a + b, 0);
    // The engine rotates after the line that was too much.
    if (bytes > LOG_BYTES * LOG_FILES * 1.1) throw new Error(`the log of ${Id} has ${bytes} bytes`);
    sum += bytes;
  }
  return sum;
}

let agentLogSeen = 0;

async function sample(fleet: BenchFleet, soak: SoakFleet): Promise<Sample> {
  const writeAhead = statSync(join(fleet.planeDir, 'plane.db-wal')).size;
  if (writeAhead > WRITE_AHEAD_BYTES) throw new Error(`plane.db-wal has ${writeAhead} bytes`);
  for (const { pid } of [fleet.agent, fleet.plane]) process.kill(pid(), 'SIGUSR2');
  // Removing files and closing connections comes after what people are told.
  await pause(2000);
  const log = statSync(fleet.agent.logFile).size;
  const logged = log - agentLogSeen;
  agentLogSeen = log;
  return {
    agentPrivate: memoryOf(fleet.agent.pid()).private,
    planePrivate: memoryOf(fleet.plane.pid()).private,
    agentFiles: openFilesOf(fleet.agent.pid()),
    planeFiles: openFilesOf(fleet.plane.pid()),
    containers: (await soak.containers()).length,
    agentState: (await bytesBelow(fleet.agentDir)) / 1024,
    planeState: (await bytesBelow(fleet.planeDir)) / 1024,
    containerLogs: (await logBytes(soak)) / 1024,
    agentLog: logged / 1024,
  };
}

let round = 0;
const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => stopping.abort(new Error(`stopped by ${signal}`)));

async function phase(fleet: BenchFleet, soak: SoakFleet, name: Phase, seconds: number): Promise<Sample[]> {
  const other = name === 'agent lives' ? fleet.plane : fleet.agent;
  const samples: Sample[] = [];
  const endAt = performance.now() + seconds * 1000;
  // At least as many rounds as judging takes.
  while (performance.now() < endAt || samples.length < 4) {
    stopping.signal.throwIfAborted();
    round += 1;
    if (LEAK === 'containers') await soak.addStray();
    const disturbing = soak.disturb(round);
    if (round % 2 === 0) await disturbing;
    await other.stop(round % 3 === 0 ? 'SIGTERM' : 'SIGKILL');
    await other.start();
    await disturbing;
    await soak.settled(round);
    await soak.readLogs();
    const now = await sample(fleet, soak);
    samples.push(now);
    process.stderr.write(
      `${name}, round ${round}: agent ${now.agentPrivate.toFixed(1)} MiB, ${now.agentFiles} files; plane ${now.planePrivate.toFixed(1)} MiB, ${now.planeFiles} files; ${now.containers} containers\n`,
    );
  }
  return samples;
}

/** The first round warms up. */
function ends(samples: readonly Sample[], figure: keyof Sample): readonly [first: number, last: number] {
  const counted = samples.slice(1).map((one) => one[figure]);
  const share = Math.max(1, Math.ceil(counted.length / 4));
  return [median(counted.slice(0, share)), median(counted.slice(-share))];
}

/** What has grown beyond its bound. */
function judge(phases: { readonly [name in Phase]: readonly Sample[] }): string[] {
  return BOUNDS.flatMap(({ figure, what, phases: names, most }) =>
    names.flatMap((name) => {
      const [first, last] = ends(phases[name], figure);
      const ratio = last / first;
      const line = `${what.padEnd(26)} ${name}   ${first.toFixed(1).padStart(8)} ${last.toFixed(1).padStart(8)}   ${ratio.toFixed(2)} (at most ${most})`;
      const grown = !(ratio <= most);
      console.log(`  ${line}${grown ? '   GROWN' : ''}`);
      return grown ? [line] : [];
    }),
  );
}

process.env.FLEETSET_NODE_FLAGS = `--expose-gc --import=${HOOK}`;
if (LEAK) process.env.SOAK_LEAK = LEAK;
execFileSync('hack/images/build', ['busybox'], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
const fleet = await startBenchFleet([
  `containerLogMaxSize: ${LOG_BYTES / 1024}Ki`,
  `containerLogMaxFiles: ${LOG_FILES}`,
]);
const problems: string[] = [];
const begun = performance.now();
try {
  const soak = await openSoakFleet(fleet);
  try {
    await soak.create();
    await soak.settled(0);
    const phases = {
      'agent lives': await phase(fleet, soak, 'agent lives', SECONDS / 2),
      'plane lives': await phase(fleet, soak, 'plane lives', SECONDS / 2),
    };
    const took = ((performance.now() - begun) / 1000).toFixed(0);
    console.log(`soak: ${round} rounds in ${took} s; first and last quarter of each phase`);
    problems.push(...judge(phases));
  } catch (error) {
    problems.push((error as Error).message);
    process.stderr.write(`${readFileSync(fleet.agent.logFile, 'utf8').slice(-4000)}\n`);
  }
  await soak.remove().catch((error: Error) => problems.push(error.message));
  problems.push(...soak.violations());
} finally {
  await fleet.close();
}
if (readFileSync('/proc/mounts', 'utf8').includes(fleet.folder)) problems.push('a mount is left behind');
for (const problem of problems) console.error(`soak: ${problem}`);
if (problems.length === 0) console.log('soak: nothing grew, nothing was doubled, nothing is left behind');
process.exitCode = problems.length > 0 ? 1 : 0;
