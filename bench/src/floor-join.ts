// A machine joins a fleet whose DaemonSet waits for it: from its agent's connection until the pod runs, beside create +
// start; and from the start of the agent's process, beside a process that does nothing but make and start the container.
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bareSide } from './bare-side.ts';
import { type BenchFleet, pause, ROOT, UNIT_ENVIRONMENT } from './bench-fleet.ts';
import { IMAGE } from './exporter.ts';
import { fleetSide } from './fleet-side.ts';
import { showRow } from './floor-one.ts';
import { median } from './median.ts';
import type { OwnEngine } from './own-engine.ts';
import { eventOf, timeRemoval, timeStart } from './side.ts';

export interface JoinParts {
  readonly engine: OwnEngine;
  readonly fleet: BenchFleet;
  readonly rounds: number;
}

interface Joined {
  readonly fromStartMs: number;
  readonly fromConnectionMs: number;
}

const REST_MS = 500;

export async function compareJoins(parts: JoinParts): Promise<void> {
  const { engine, fleet, rounds } = parts;
  const program = join(fleet.folder, 'bare-start');
  execFileSync('node', ['hack/bundle.ts', program, 'bare-start=bench/src/bare-start.ts'], {
    cwd: ROOT,
    stdio: 'ignore',
  });
  const side = fleetSide(fleet.api, { nodeSelector: { joins: 'late' } });
  const bare = bareSide(engine);
  await side.create('joined', IMAGE);
  const [plain, processes, joins]: [number[], number[], Joined[]] = [[], [], []];
  for (let round = -1; round < rounds; round++) {
    const name = `plain-${round + 1}`;
    const startMs = await timeStart(engine, bare, name);
    await timeRemoval(engine, bare, name);
    const processMs = await bareProcess(parts, join(program, 'bare-start.js'));
    const joined = await joinOnce(parts, `late-${round + 1}`);
    process.stderr.write(`join: round ${round + 1} of ${rounds}\n`);
    if (round < 0) continue;
    plain.push(startMs);
    processes.push(processMs);
    joins.push(joined);
  }
  await side.remove('joined');
  console.log('  join to running');
  show(
    'from its connection',
    plain,
    'create + start',
    joins.map(({ fromConnectionMs }) => fromConnectionMs),
  );
  const fromStart = joins.map(({ fromStartMs }) => fromStartMs);
  show("from its process's start", processes, 'a process that create + starts', fromStart);
}

function show(what: string, bare: readonly number[], does: string, ours: readonly number[]): void {
  showRow(`bare: ${does}`, bare);
  showRow(`fleet, ${what}`, ours, median(bare));
  console.log(`      bare + ${(median(ours) - median(bare)).toFixed(0)} ms`);
}

async function bareProcess({ engine, fleet }: JoinParts, program: string): Promise<number> {
  const started = engine.clock.next(eventOf({ label: 'bench' }, 'joined', 'start'));
  const begun = Date.now();
  const child = spawn(join(fleet.prefix, 'lib/fleetset/node'), [program, engine.socketPath, 'joined'], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: UNIT_ENVIRONMENT,
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const { at, id } = await started;
  await ended;
  await engine.docker.getContainer(id).remove({ force: true });
  await pause(REST_MS);
  return at - begun;
}

async function joinOnce({ engine, fleet }: JoinParts, nodeName: string): Promise<Joined> {
  const agent = fleet.join(nodeName, [
    `dockerSocket: ${engine.socketPath}`,
    'localAddress: off',
    'labels: { joins: late }',
  ]);
  const label = { label: 'dev.fleetset.daemonset' };
  const started = engine.clock.next(eventOf(label, 'joined', 'start'));
  const begun = Date.now();
  await agent.start();
  const { at } = await started;
  await pause(REST_MS);
  const gone = engine.clock.next(eventOf(label, 'joined', 'destroy'));
  await fleet.api('DELETE', `/api/v1/nodes/${nodeName}`);
  await gone;
  await agent.stop();
  await pause(REST_MS);
  return { fromStartMs: at - begun, fromConnectionMs: at - connectedAt(agent.logFile) };
}

function connectedAt(logFile: string): number {
  const line = readFileSync(logFile, 'utf8')
    .split('\n')
    .find((text) => text.includes('"connected to the plane"'));
  return Date.parse((JSON.parse(line ?? '{}') as { time?: string }).time ?? '');
}
