// Many pods at once on one node: asked for together, until the last of them runs.
import { pause } from './bench-fleet.ts';
import { fleetSide } from './fleet-side.ts';
import { type OneParts, showRow } from './floor-one.ts';
import { median } from './median.ts';
import { type Side, timeMany } from './side.ts';

const COUNTS = [1, 10, 50];
const REST_MS = 1000;

export async function compareMany({ engine, fleet, bare, swarm, rounds }: OneParts): Promise<void> {
  const ours = fleetSide(fleet.api);
  for (const count of COUNTS) {
    const figures = { bare: [] as number[], fleet: [] as number[], swarm: [] as number[] };
    const counted = count < 50 ? rounds : Math.ceil(rounds / 2);
    const once = async (side: Side, prefix: string): Promise<number> => {
      const names = Array.from({ length: count }, (_none, index) => `${prefix}-${count}-${index}`);
      const ms = await timeMany(engine, side, names);
      await Promise.all(names.map((name) => removed(engine.docker, side, name)));
      await pause(REST_MS);
      return ms;
    };
    for (let round = -1; round < counted; round++) {
      const all = [
        await once(bare, `bare-${round + 1}`),
        await once(ours, `fleet-${round + 1}`),
        await once(swarm, `swarm-${round + 1}`),
      ] as const;
      process.stderr.write(`${count} pods: round ${round + 1} of ${counted}\n`);
      if (round < 0) continue;
      figures.bare.push(all[0]);
      figures.fleet.push(all[1]);
      figures.swarm.push(all[2]);
    }
    console.log(`  ${count} pods at once, asked to the last one running`);
    showRow('bare: create + start', figures.bare);
    showRow('fleet', figures.fleet, median(figures.bare));
    showRow('swarm', figures.swarm, median(figures.bare));
  }
}

async function removed(docker: OneParts['engine']['docker'], side: Side, name: string): Promise<void> {
  await side.remove(name);
  const filters = JSON.stringify({ label: [`${side.label}=${name}`] });
  while ((await docker.listContainers({ all: true, filters })).length > 0) await pause(100);
}
