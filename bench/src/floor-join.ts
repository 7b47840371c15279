// A machine joins: from its agent's start until the pod that waits for it runs, beside a process that does nothing but
// make and start that container.
import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { type BenchFleet, pause, ROOT } from './bench-fleet.ts';
import { IMAGE } from './exporter.ts';
import { fleetSide } from './fleet-side.ts';
import { showRow } from './floor-one.ts';
import { median } from './median.ts';
import type { OwnEngine } from './own-engine.ts';
import { eventOf } from './side.ts';

export interface JoinParts {
  readonly engine: OwnEngine;
  readonly fleet: BenchFleet;
  readonly rounds: number;
}

const REST_MS = 500;

export async function compareJoins(parts: JoinParts): Promise<void> {
  const { fleet, rounds } = parts;
  const program = join(fleet.folder, 'bare-start');
  execFileSync('node', ['hack/bundle.ts', program, 'bare-start=bench/src/bare-start.ts'], { cwd: ROOT });
  const side = fleetSide(fleet.api, { nodeSelector: { joins: 'late' } });
  await side.create('joined', IMAGE);
  const figures = { bare: [] as number[], fleet: [] as number[] };
  for (let round = -1; round < rounds; round++) {
    const bare = await bareRound(parts, join(program, 'bare-start.js'));
    const ours = await fleetRound(parts, `late-${round + 1}`);
    process.stderr.write(`join: round ${round + 1} of ${rounds}\n`);
    if (round < 0) continue;
    figures.bare.push(bare);
    figures.fleet.push(ours);
  }
  await side.remove('joined');
  console.log('  join: process started to running');
  showRow('bare: a process that create + starts', figures.bare);
  showRow('fleet: the agent of a new machine', figures.fleet, median(figures.bare));
  console.log(`    bare + ${(median(figures.fleet) - median(figures.bare)).toFixed(0)} ms`);
}

async function bareRound({ engine, fleet }: JoinParts, program: string): Promise<number> {
  const started = engine.clock.next(eventOf({ label: 'bench' }, 'joined', 'start'));
  const begun = Date.now();
  const child = spawn(join(fleet.prefix, 'lib/fleetset/node'), [program, engine.socketPath, 'joined'], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const { at, id } = await started;
  await ended;
  await engine.docker.getContainer(id).remove({ force: true });
  await pause(REST_MS);
  return at - begun;
}

async function fleetRound({ engine, fleet }: JoinParts, nodeName: string): Promise<number> {
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
  return at - begun;
}
