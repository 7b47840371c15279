// What planning costs: all that the rollout loop does after one report, in an idle fleet and in the middle of a rollout,
// however a RolloutPolicy paces it; one plan of a DaemonSet from nothing; what the whole plane does after a report; and
// its memory. Each is a ratio to the smallest fleet of the same run, per node.
// `node --expose-gc bench/planner.ts [ROUNDS]`
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { passDaemonSet } from '@fleetset/plane/rollout/daemon-set-pass';
import { createNodeViews } from '@fleetset/plane/rollout/node-views';
import type { StoredRevision } from '@fleetset/plane/rollout/stored-set';
import { figure, median } from './src/median.ts';
import { type Paced, type PlannerFleet, startPlannerFleet } from './src/planner-fleet.ts';
import { startLoopAlone, startWholeCore } from './src/planner-plane.ts';

const ROUNDS = Number(process.argv[2] ?? 15);
const NODES = [100, 1000, 10_000];
const SETS = [1, 20];
const [FEWEST = 0, MOST = 0, MOST_SETS = 0] = [NODES[0], NODES.at(-1), SETS.at(-1)];

const CANARY = { nodeSelector: { canary: 'true' }, nodes: '1%' };
const HOLDS: Paced = { heldEvery: 10 };
const PARTITION = { partition: '25%' };
const ZONES = { topologyBudgets: [{ topologyKey: 'zone', maxUnavailable: 15 }] };
const WINDOWS = { maintenanceWindows: [{ schedule: '0 22 * * *', duration: '4h' }] };
const PACED: { readonly [name: string]: Paced } = {
  steps: { policy: { steps: [CANARY, { nodes: '10%' }, { nodes: '60%' }] } },
  partition: { policy: PARTITION },
  zones: { policy: ZONES },
  windows: { policy: WINDOWS },
  holds: HOLDS,
  surge: { strategy: { maxUnavailable: 0, maxSurge: '10%' } },
  // A node that is held keeps the step after its own waiting.
  'all but surge': {
    ...HOLDS,
    policy: { ...PARTITION, ...ZONES, ...WINDOWS, steps: [CANARY, { nodes: '90%' }] },
  },
};

type LoopFleet = PlannerFleet<Awaited<ReturnType<typeof startLoopAlone>>['parts']>;

interface Took {
  readonly wall: number[];
  readonly cpu: number[];
}
type Figures = Map<string, Took>;

/** Milliseconds of each; `times`: so often in a row, so that what is short can be told. */
async function timed(into: Figures, what: string, act: () => unknown, times = 1): Promise<void> {
  const [cpuBegun, begun] = [process.cpuUsage(), performance.now()];
  for (let time = 0; time < times; time++) await act();
  const wall = (performance.now() - begun) / times;
  const { user, system } = process.cpuUsage(cpuBegun);
  const known = into.get(what) ?? { wall: [], cpu: [] };
  known.wall.push(wall);
  known.cpu.push((user + system) / 1000 / times);
  into.set(what, known);
}

/** As the loop would after a start: nothing is known of any pass before. */
function planFromNothing({ parts, setIds: [id = ''] }: LoopFleet): void {
  const { store } = parts;
  const set = store.get('apps/daemonsets', id)?.value as never;
  const { uid } = (set as { metadata: { uid: string } }).metadata;
  const revisions = [...store.list('apps/controllerrevisions')]
    .map(({ value }) => value as unknown as StoredRevision)
    .filter(({ metadata }) => metadata.ownerReferences?.some((owner) => owner.uid === uid));
  const views = createNodeViews(parts);
  passDaemonSet({ ...parts, views }, set, revisions);
  views.close();
}

/** The baseline of that: what every plan from nothing has to look up of each node, in one Map, and nothing is decided. */
function lookUpAll({ parts: { store, fleet, grants }, setUids: [uid = ''] }: LoopFleet): number {
  const found = new Map<string, object>();
  for (const { id, value } of store.list('core/nodes')) {
    const { report, placements, podsBySet } = fleet.state(id);
    const pod = podsBySet.get(uid)?.[0];
    found.set(id, {
      labels: (value.metadata as { labels: object }).labels,
      decision: placements.get(uid)?.decision,
      generation: report?.generation?.counter,
      granted: grants.of(uid).get(id),
      pod: { revision: pod?.revision, available: pod?.available },
    });
  }
  return found.size;
}

/** A rollout of a large fleet has thousands of reports: its code is compiled by then. */
const WARM_UP = 15;

/** Plans from nothing have rounds of their own: a report does not pay for what they leave to the garbage collector. */
async function rounds(found: Figures, act: (into: Figures) => Promise<void>): Promise<void> {
  const warm: Figures = new Map();
  for (let round = -WARM_UP; round < ROUNDS; round++) await act(round < 0 ? warm : found);
}

/** Part of the nodes have the new revision, and as many as may be are on their way to it. */
async function halfway(fleet: PlannerFleet, image: string, paced: Paced): Promise<void> {
  await fleet.update(image, paced);
  for (let step = 0; step < 2; step++) {
    await fleet.obey();
    await fleet.recover();
  }
  await fleet.obey();
}

async function podComesUp(into: Figures, what: string, fleet: PlannerFleet): Promise<void> {
  const [set = ''] = fleet.setUids;
  let down = fleet.downNode(set);
  if (down === undefined) await fleet.obey();
  down ??= fleet.downNode(set);
  if (down === undefined) throw new Error(`${what}: no node is on its way`);
  const node = down;
  await timed(into, what, () => fleet.flip(node, set));
}

/** The rollout loop alone. */
async function measureLoop(nodes: number, sets: number): Promise<Figures> {
  const fleet = await startPlannerFleet(await startLoopAlone(), nodes, sets);
  const found: Figures = new Map();
  const [set = ''] = fleet.setUids;
  const [node = '', other = ''] = fleet.nodeNames;
  const often = Math.max(1, MOST / 10 / nodes);
  await rounds(found, async (into) => {
    await timed(into, 'idle: a report, news of one set', () => fleet.flip(node, set));
    await timed(into, 'idle: a report, news of all sets', () => fleet.unplug(other));
  });
  await fleet.recover();
  await rounds(found, async (into) => {
    await timed(into, 'idle: one plan from nothing', () => planFromNothing(fleet), often);
    await timed(into, 'idle: the same look-ups, no plan', () => lookUpAll(fleet), often);
  });
  await halfway(fleet, 'app:2', {});
  await rounds(found, async (into) => {
    await podComesUp(into, 'rollout: a report, a pod is up', fleet);
    await timed(into, 'rollout: a report, news of all sets', () => fleet.unplug(other));
  });
  await rounds(found, (into) =>
    timed(into, 'rollout: one plan from nothing', () => planFromNothing(fleet), often),
  );
  await fleet.finish('app:2');
  let image = 2;
  for (const [name, paced] of sets === MOST_SETS && [FEWEST, MOST].includes(nodes)
    ? Object.entries(PACED)
    : []) {
    image += 1;
    await halfway(fleet, `app:${image}`, paced);
    await rounds(found, (into) => podComesUp(into, `${name}: a report, a pod is up`, fleet));
    await fleet.finish(`app:${image}`);
  }
  await fleet.close();
  return found;
}

const collected = (): number => {
  gc?.();
  gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

/** The whole core, its store on disk. */
async function measurePlane(nodes: number, sets: number): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), 'fleetset-bench-'));
  try {
    const plane = await startWholeCore(folder);
    const empty = collected();
    const fleet = await startPlannerFleet(plane, nodes, sets);
    const found: Figures = new Map();
    const [set = ''] = fleet.setUids;
    const [node = '', other = ''] = fleet.nodeNames;
    await rounds(found, async (into) => {
      await timed(into, 'plane: a report, a pod changes', () => fleet.flip(node, set));
      await timed(into, 'plane: a report, the node changes', () => fleet.shake(other));
    });
    await fleet.recover();
    await halfway(fleet, 'app:2', {});
    await rounds(found, (into) => podComesUp(into, 'plane: the same in a rollout, a pod is up', fleet));
    const told = fleet.reportBytes();
    fleet.vanish();
    const kept = collected() - empty;
    const each = (bytes: number) => `${Math.round(bytes / nodes / sets)} B`;
    console.log(
      `    memory of the plane, per node and set  ${each(kept)}, ${(kept / told).toFixed(2)} x what the nodes report (${each(told)})`,
    );
    await fleet.close();
    return found;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

type Baseline = Map<string, number>;

function print(found: Figures, nodes: number, baseline: Baseline): void {
  for (const [what, { wall, cpu }] of found) {
    const perNode = median(cpu) / nodes;
    baseline.set(what, baseline.get(what) ?? perNode);
    const ratio = `${(perNode / (baseline.get(what) ?? perNode)).toFixed(2)} x`;
    const shown = [
      what.padEnd(42),
      figure(cpu, 'ms', 2).padEnd(26),
      median(wall).toFixed(2).padStart(7),
      ' ms  ',
    ];
    console.log(`    ${shown.join('')}${ratio}`);
  }
}

/** The first fleet does not pay for what is compiled once. */
async function warmUp(): Promise<void> {
  const fleet = await startPlannerFleet(await startLoopAlone(), 1000, 2);
  for (let time = 0; time < 30; time++) {
    planFromNothing(fleet);
    lookUpAll(fleet);
    await fleet.flip(fleet.nodeNames[time] ?? '', fleet.setUids[0] ?? '');
  }
  await fleet.close();
}

await warmUp();
console.log(`planner: ${ROUNDS} rounds; processor time: medians (quartiles); wall clock: medians`);
console.log('  x: processor time per node, against the smallest fleet');
for (const sets of SETS) {
  const baseline: Baseline = new Map();
  for (const nodes of NODES) {
    console.log(`  ${nodes} nodes, ${sets} DaemonSets`);
    print(await measureLoop(nodes, sets), nodes, baseline);
  }
}
const baseline: Baseline = new Map();
for (const nodes of [FEWEST, MOST]) {
  console.log(`  ${nodes} nodes, ${MOST_SETS} DaemonSets, the whole plane`);
  print(await measurePlane(nodes, MOST_SETS), nodes, baseline);
}
