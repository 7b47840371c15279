// What planning costs: one plan of a DaemonSet from nothing, and all that the rollout loop does after one report, in
// an idle fleet and in the middle of a rollout. Each is a ratio to the smallest fleet of the same run, per node.
// `node bench/planner.ts [ROUNDS]`
import { passDaemonSet } from '@fleetset/plane/rollout/daemon-set-pass';
import { createNodeViews } from '@fleetset/plane/rollout/node-views';
import type { StoredRevision } from '@fleetset/plane/rollout/stored-set';
import { figure, median } from './src/median.ts';
import { type PlannerFleet, startPlannerFleet } from './src/planner-fleet.ts';

const ROUNDS = Number(process.argv[2] ?? 15);
const NODES = [100, 1000, 10_000];
const SETS = [1, 20];

type Figures = Map<string, number[]>;

async function timed(into: Figures, what: string, act: () => unknown): Promise<void> {
  const begun = performance.now();
  await act();
  const took = performance.now() - begun;
  const list = into.get(what);
  if (list) list.push(took);
  else into.set(what, [took]);
}

/** As the loop would after a start: nothing is known of any pass before. */
function planFromNothing({ parts, setIds: [id = ''] }: PlannerFleet): void {
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

/** More than the processor's caches hold. */
const ballast = new Float64Array(8_000_000).fill(1);

/** A small fleet then comes from main memory, too, as a large one does anyway. */
function emptyCaches(): void {
  for (let at = 0; at < ballast.length; at += 8) ballast[at] = (ballast[at] ?? 0) + 1;
}

async function measure(nodes: number, sets: number): Promise<Figures> {
  const fleet = await startPlannerFleet(nodes, sets);
  const found: Figures = new Map();
  const [set = ''] = fleet.setUids;
  const [node = '', other = ''] = fleet.nodeNames;
  await rounds(found, async (into) => {
    await timed(into, 'idle: a report, news of one set', () => fleet.flip(node, set));
    await timed(into, 'idle: a report, news of all sets', () => fleet.unplug(other));
  });
  await fleet.recover();
  await rounds(found, async (into) => {
    await timed(into, 'idle: one plan from nothing', () => planFromNothing(fleet));
    emptyCaches();
    await timed(into, 'idle: the same, caches emptied', () => planFromNothing(fleet));
  });
  await halfway(fleet);
  await rounds(found, async (into, round) => {
    const down = fleet.downNode(set) ?? '';
    await timed(into, 'rollout: a report, a pod is up', () => fleet.flip(down, set));
    await timed(into, 'rollout: a report, news of all sets', () => fleet.unplug(other));
    if (round % 5 === 4) await fleet.obey();
  });
  await rounds(found, (into) => timed(into, 'rollout: one plan from nothing', () => planFromNothing(fleet)));
  await fleet.close();
  return found;
}

/** Plans from nothing have rounds of their own: a report does not pay for what they leave to the garbage collector. */
async function rounds(found: Figures, act: (into: Figures, round: number) => Promise<void>): Promise<void> {
  const warm: Figures = new Map();
  for (let round = -5; round < ROUNDS; round++) await act(round < 0 ? warm : found, round);
}

/** Half of the nodes have the new revision, and as many as may be are on their way to it. */
async function halfway(fleet: PlannerFleet): Promise<void> {
  await fleet.update('app:2');
  for (let step = 0; step < 4; step++) {
    await fleet.obey();
    await fleet.recover();
  }
  await fleet.obey();
}

console.log(`planner: ${ROUNDS} rounds, medians (quartiles); x: per node, against the smallest fleet`);
for (const sets of SETS) {
  const baseline = new Map<string, number>();
  for (const nodes of NODES) {
    console.log(`  ${nodes} nodes, ${sets} DaemonSets`);
    for (const [what, values] of await measure(nodes, sets)) {
      const perNode = median(values) / nodes;
      baseline.set(what, baseline.get(what) ?? perNode);
      const ratio = (perNode / (baseline.get(what) ?? perNode)).toFixed(2);
      console.log(`    ${what.padEnd(36)} ${figure(values, 'ms', 2).padEnd(28)} ${ratio} x`);
    }
  }
}
