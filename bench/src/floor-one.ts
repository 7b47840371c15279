// One pod on one node: start, update, kill, removal.
import { execFileSync } from 'node:child_process';
import type { BareSide } from './bare-side.ts';
import { type BenchFleet, pause, ROOT, until } from './bench-fleet.ts';
import { daemonSetOf, IMAGE } from './exporter.ts';
import { fleetSide } from './fleet-side.ts';
import { figure, median } from './median.ts';
import type { OwnEngine } from './own-engine.ts';
import { type Side, timeKill, timeRemoval, timeStart, timeUpdate } from './side.ts';

export interface OneParts {
  readonly engine: OwnEngine;
  readonly fleet: BenchFleet;
  readonly bare: BareSide;
  readonly swarm: Side;
  readonly rounds: number;
}

type Measure =
  | 'start'
  | 'gap'
  | 'prepared'
  | 'update'
  | 'kill'
  | 'killPlaneDead'
  | 'end'
  | 'removal'
  | 'tokenStart'
  | 'tokenUpdate'
  | 'kubectlStart'
  | 'kubectlAlone';
type Figures = { [measure in Measure]: number[] };

const noFigures = (): Figures => ({
  start: [],
  gap: [],
  prepared: [],
  update: [],
  kill: [],
  killPlaneDead: [],
  end: [],
  removal: [],
  tokenStart: [],
  tokenUpdate: [],
  kubectlStart: [],
  kubectlAlone: [],
});

/** Between two: what a side still does after its last answer is not to meet the next. */
const REST_MS = 300;

export async function compareOne(parts: OneParts): Promise<void> {
  const { fleet, bare, swarm, rounds } = parts;
  const ours = fleetSide(fleet.api);
  const figures = { bare: noFigures(), fleet: noFigures(), swarm: noFigures() };
  for (let round = -1; round < rounds; round++) {
    // The first round warms up and does not count.
    const into = round < 0 ? { bare: noFigures(), fleet: noFigures(), swarm: noFigures() } : figures;
    await lifeOf(parts, bare, `bare-${round + 1}`, into.bare);
    await lifeOf(parts, ours, `fleet-${round + 1}`, into.fleet);
    await lifeOf(parts, swarm, `swarm-${round + 1}`, into.swarm);
    await bareMore(parts, `more-${round + 1}`, into.bare);
    await killOf(parts, ours, `killed-${round + 1}`, into.fleet.kill);
    await killOf(parts, swarm, `killed-${round + 1}`, into.swarm.kill);
    const tokens = noFigures();
    await lifeOf(parts, fleetSide(fleet.api, { token: true }), `token-${round + 1}`, tokens);
    into.fleet.tokenStart.push(...tokens.start);
    into.fleet.tokenUpdate.push(...tokens.update);
    await byKubectl(parts, `typed-${round + 1}`, into.fleet);
    process.stderr.write(`one pod: round ${round + 1} of ${rounds}\n`);
  }
  // Last: what is asked of a plane that has just started takes longer.
  for (let round = 0; round < rounds; round++)
    await withoutPlane(parts, ours, `alone-${round}`, figures.fleet.killPlaneDead);
  show(figures);
}

async function lifeOf({ engine }: OneParts, side: Side, name: string, into: Figures): Promise<void> {
  into.start.push(await timeStart(engine, side, name));
  await pause(REST_MS);
  const { gapMs, wholeMs } = await timeUpdate(engine, side, name);
  into.gap.push(gapMs);
  into.update.push(wholeMs);
  await pause(REST_MS);
  const removal = await timeRemoval(engine, side, name);
  into.end.push(removal.endMs);
  into.removal.push(removal.wholeMs);
  await pause(REST_MS);
}

async function killOf({ engine }: OneParts, side: Side, name: string, into: number[]): Promise<void> {
  await timeStart(engine, side, name);
  await pause(REST_MS);
  into.push(await timeKill(engine, side, name));
  await pause(REST_MS);
  await side.atRest(name);
  await timeRemoval(engine, side, name);
  await pause(REST_MS);
}

async function bareMore({ engine, bare }: OneParts, name: string, into: Figures): Promise<void> {
  await timeStart(engine, bare, name);
  await pause(REST_MS);
  into.prepared.push((await bare.timePrepared(name, IMAGE)).gapMs);
  await pause(REST_MS);
  const end = bare.restart(name);
  into.kill.push(await timeKill(engine, bare, name));
  end();
  await pause(REST_MS);
  await bare.remove(name);
  await pause(REST_MS);
}

/** Killed, and started again when the pod is: nobody tells the agent anything. */
async function withoutPlane(parts: OneParts, side: Side, name: string, into: number[]): Promise<void> {
  const { engine, fleet } = parts;
  await timeStart(engine, side, name);
  await fleet.plane.stop('SIGKILL');
  await pause(REST_MS);
  into.push(await timeKill(engine, side, name));
  await pause(REST_MS);
  await fleet.plane.start();
  await until('the agent is back', () => nodeIsReady(fleet));
  await side.atRest(name);
  await timeRemoval(engine, side, name);
  await pause(REST_MS);
}

async function nodeIsReady({ api }: BenchFleet): Promise<boolean> {
  const { items } = (await api('GET', '/api/v1/nodes')) as {
    items: readonly { status: { conditions: readonly { type: string; status: string }[] } }[];
  };
  return items.every(({ status }) =>
    status.conditions.some((condition) => condition.type === 'Ready' && condition.status === 'True'),
  );
}

async function byKubectl({ engine, fleet }: OneParts, name: string, into: Figures): Promise<void> {
  const kubectl = async (manifest: object, ...flags: string[]) =>
    execFileSync('hack/kubectl', ['apply', '-f', '-', ...flags], {
      cwd: ROOT,
      env: { ...process.env, KUBECONFIG: fleet.kubeconfig },
      input: JSON.stringify(manifest),
    });
  // All that kubectl does for an apply, with nothing written.
  const begun = performance.now();
  await kubectl(daemonSetOf(name, IMAGE), '--dry-run=server');
  into.kubectlAlone.push(performance.now() - begun);
  const side = fleetSide(fleet.api, {}, 1, (manifest) => kubectl(manifest));
  into.kubectlStart.push(await timeStart(engine, side, name));
  await pause(REST_MS);
  await timeRemoval(engine, side, name);
  await pause(REST_MS);
}

const row = (what: string, values: readonly number[], floor?: number) => {
  const ratio = floor === undefined ? '' : `   ${(median(values) / floor).toFixed(2)} x`;
  console.log(`    ${what.padEnd(40)}${figure(values, 'ms')}${ratio}`);
};

export { row as showRow };

function show({ bare, fleet, swarm }: { readonly [side in 'bare' | 'fleet' | 'swarm']: Figures }): void {
  const three = (title: string, measure: Measure, floor: string) => {
    const base = median(bare[measure]);
    console.log(`  ${title}`);
    row(`bare: ${floor}`, bare[measure]);
    row('fleet', fleet[measure], base);
    row('swarm', swarm[measure], base);
  };
  three('apply to running', 'start', 'create + start');
  row('fleet, by kubectl', fleet.kubectlStart, median(fleet.kubectlAlone) + median(bare.start));
  row('kubectl alone, nothing written', fleet.kubectlAlone);
  row('fleet, with a token of its account', fleet.tokenStart, median(bare.start));
  three('kill to running again', 'kill', 'create + start when it dies');
  row('fleet, the plane dead', fleet.killPlaneDead, median(bare.kill));
  three('update, asked to running', 'update', 'stop + create + start');
  row('fleet, with a token of its account', fleet.tokenUpdate, median(bare.update));
  console.log('  gap of an update');
  row('bare: stop + start', bare.prepared);
  row('bare: stop + create + start', bare.gap, median(bare.prepared));
  row('fleet', fleet.gap, median(bare.prepared));
  row('swarm', swarm.gap, median(bare.prepared));
  three('removal, asked to ended', 'end', 'stop');
  three('removal, asked to gone', 'removal', 'stop + remove');
}
