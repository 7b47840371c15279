// A rolling update of several nodes, each with an engine of its own, one node at a time.
import { bareSide } from './bare-side.ts';
import { type BenchFleet, pause } from './bench-fleet.ts';
import { IMAGE, NEXT_IMAGE } from './exporter.ts';
import { fleetSide } from './fleet-side.ts';
import { showRow } from './floor-one.ts';
import { median } from './median.ts';
import type { OwnEngine } from './own-engine.ts';
import { eventOf, type Side } from './side.ts';

export interface RollingParts {
  readonly engines: readonly OwnEngine[];
  readonly fleet: BenchFleet;
  readonly nodes: number;
  readonly rounds: number;
}

const REST_MS = 500;

export async function compareRolling({ engines, fleet, nodes, rounds }: RollingParts): Promise<void> {
  const bares = engines.map((engine) => bareSide(engine));
  const label = bares[0]?.label ?? '';
  /** One after the other, as a script would. */
  const everywhere = (what: (side: Side) => Promise<unknown>) => async () => {
    for (const side of bares) await what(side);
  };
  const bare: Side = {
    label,
    create: (name, image) => everywhere((side) => side.create(name, image))(),
    atRest: (name) => everywhere((side) => side.atRest(name))(),
    update: (name, image) => everywhere((side) => side.update(name, image))(),
    remove: (name) => everywhere((side) => side.remove(name))(),
  };
  const ours = fleetSide(fleet.api, {}, nodes);
  const figures = { bare: { whole: [], gap: [], prepared: [] }, fleet: { whole: [], gap: [] } } as {
    readonly bare: { readonly whole: number[]; readonly gap: number[]; readonly prepared: number[] };
    readonly fleet: { readonly whole: number[]; readonly gap: number[] };
  };
  const roll = async (side: Side, name: string) => {
    const events = (action: string) => engines.map(({ clock }) => clock.next(eventOf(side, name, action)));
    await Promise.all([...events('start'), side.create(name, IMAGE)]);
    await side.atRest(name);
    await pause(REST_MS);
    const ends = events('kill');
    const starts = events('start');
    const begun = Date.now();
    const asked = side.update(name, NEXT_IMAGE);
    const ended = await Promise.all(ends);
    const started = await Promise.all(starts);
    await asked;
    await side.atRest(name);
    await pause(REST_MS);
    const gaps = started.map(({ at }, index) => at - (ended[index]?.at ?? Number.NaN));
    return { gaps, wholeMs: Math.max(...started.map(({ at }) => at)) - begun };
  };
  const remove = async (side: Side, name: string) => {
    const gone = engines.map(({ clock }) => clock.next(eventOf(side, name, 'destroy')));
    await Promise.all([...gone, side.remove(name)]);
    await pause(REST_MS);
  };
  for (let round = -1; round < rounds; round++) {
    const plain = await roll(bare, `bare-roll-${round + 1}`);
    const prepared: number[] = [];
    for (const side of bares) prepared.push((await side.timePrepared(`bare-roll-${round + 1}`, IMAGE)).gapMs);
    await remove(bare, `bare-roll-${round + 1}`);
    const fleets = await roll(ours, `fleet-roll-${round + 1}`);
    await remove(ours, `fleet-roll-${round + 1}`);
    process.stderr.write(`rolling: round ${round + 1} of ${rounds}\n`);
    if (round < 0) continue;
    figures.bare.whole.push(plain.wholeMs);
    figures.bare.gap.push(...plain.gaps);
    figures.bare.prepared.push(...prepared);
    figures.fleet.whole.push(fleets.wholeMs);
    figures.fleet.gap.push(...fleets.gaps);
  }
  console.log(`  rolling update of ${nodes} nodes, one at a time`);
  showRow('bare: stop + create + start in turn', figures.bare.whole);
  showRow('fleet', figures.fleet.whole, median(figures.bare.whole));
  console.log('  gap of each node in it');
  showRow('bare: stop + start', figures.bare.prepared);
  showRow('bare: stop + create + start', figures.bare.gap, median(figures.bare.prepared));
  showRow('fleet', figures.fleet.gap, median(figures.bare.prepared));
}
