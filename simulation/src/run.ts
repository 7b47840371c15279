// One run: a fleet is born, lives through what its seed has for it, and has to be well once that is over.
import { happen, KINDS, LATER_KINDS, mend } from './chaos.ts';
import { createDice, type Dice } from './dice.ts';
import { birth, type Fleet, putThePolicy, removeThePolicy } from './fleet.ts';
import { annotateSet, labelNode, setStrategy, setTemplate, shownStrategy } from './operator.ts';
import { whatIsMissing } from './settled.ts';
import { setsIn } from './truth.ts';
import { plainPolicy, someGoodApp, someOwnWindows, somePolicy, someSet, someTemplate } from './wishes.ts';
import { createWorld, type World } from './world.ts';

export interface RunOptions {
  readonly seed: number;
  /** Otherwise as the dice fall. */
  readonly nodes?: number;
  readonly wholeTrace?: boolean;
}

export interface RunResult {
  readonly seed: number;
  readonly broken?: { readonly law: string; readonly what: string };
  readonly lines: readonly string[];
  readonly turns: number;
}

/** As long as everything may take that was begun: a deadline, soak times, waits of 5 minutes after crashes. */
const SETTLE_MS = 40 * 60_000;
const LOOK_EVERY_MS = 5000;

export async function run({ seed, nodes, wholeTrace = false }: RunOptions): Promise<RunResult> {
  const world = createWorld(seed, wholeTrace);
  const onRejection = (error: unknown) =>
    world.trace.break('nothing fails', `unhandled: ${(error as Error)?.stack ?? String(error)}`);
  process.on('unhandledRejection', onRejection);
  try {
    await live(world, nodes);
  } finally {
    process.off('unhandledRejection', onRejection);
    world.close();
  }
  const broken = world.trace.broken();
  return { seed, ...(broken ? { broken } : {}), lines: world.trace.lines(), turns: world.time.turns() };
}

/** How much happens in a run. Most are short: what goes wrong needs few nodes and few things that happen. */
interface Story {
  readonly nodes: number;
  readonly sets: number;
  readonly bornMs: number;
  readonly lastsMs: number;
  /** Between one thing and the next. */
  readonly meanGapMs: number;
  readonly hasPolicy: boolean;
  /** Everything is given a last revision that works, and has to come to it. */
  readonly isCompleted: boolean;
}

const shortStory = (dice: Dice): Story => ({
  nodes: dice.pick([3, 3, 3, 3, 4]),
  sets: 1,
  bornMs: dice.pick([0, 3000, 8000, 8000]),
  lastsMs: dice.pick([8, 12, 20, 30]) * 1000,
  meanGapMs: dice.pick([700, 1500, 3000]),
  hasPolicy: dice.chance(0.8),
  isCompleted: dice.chance(0.35),
});

const longStory = (dice: Dice): Story => ({
  nodes: dice.pick([3, 4, 5, 8]),
  sets: dice.pick([1, 1, 2]),
  bornMs: dice.chance(0.7) ? 15_000 : 0,
  lastsMs: dice.pick([30, 60, 60, 150]) * 1000,
  meanGapMs: dice.pick([2000, 4000, 10_000]),
  hasPolicy: dice.chance(0.6),
  isCompleted: true,
});

async function live(world: World, nodes: number | undefined): Promise<void> {
  const { dice, time, trace } = world;
  const laterDice = createDice(~world.seed);
  const drawn = nodes === undefined && dice.chance(0.95) ? shortStory(dice) : longStory(dice);
  const story = { ...drawn, nodes: nodes ?? drawn.nodes };
  const isBroken = () => trace.broken() !== undefined;
  const fleet: Fleet = {
    world,
    dice,
    config: dice.chance(0.2),
    sets: new Map(),
    templates: new Map(),
    removed: new Set(),
    told: world.told,
    mended: false,
  };
  const kinds = KINDS.filter((kind) => dice.chance(/update|undo|hold|config/.test(kind) ? 0.6 : 0.35));
  kinds.push(...LATER_KINDS.filter(() => laterDice.chance(0.2)));
  trace.note('world', `kinds: ${kinds.join(', ')}`);
  world.plane.start();
  const count = story.nodes;
  for (let index = 0; index < count; index++) {
    const name = `node-${String(index).padStart(3, '0')}`;
    world.addMachine(name, { zone: dice.pick(['a', 'b']) }, someOwnWindows(laterDice));
    if (dice.chance(0.6))
      world.use(`label ${name} role=web`, (objects) => labelNode(objects, name, { role: 'web' }));
  }
  if (fleet.config) happen(fleet, ['change config']);
  if (story.hasPolicy) putThePolicy(fleet, somePolicy(dice, fleet.config));
  else if (fleet.config) putThePolicy(fleet, plainPolicy(true));
  for (let index = 0; index < story.sets; index++)
    birth(fleet, someSet(dice, `set-${index}`, count, fleet.config));
  await time.runUntil(story.bornMs, isBroken);
  const end = time.now() + story.lastsMs;
  // Of a large fleet something happens somewhere all the time.
  const mean = story.meanGapMs * Math.min(1, 20 / count);
  while (time.now() < end && !isBroken()) {
    await time.runUntil(time.now() - Math.log(1 - dice.next()) * mean, isBroken);
    if (kinds.length > 0 && !isBroken()) happen(fleet, kinds);
  }
  if (isBroken()) return;
  if (dice.chance(0.3)) happen(fleet, ['bad update']);
  // Without one a rollout that hangs is given ten minutes, and the run takes as much longer.
  if (dice.chance(0.8)) happen(fleet, ['put policy']);
  mend(fleet);
  await settle(world, false);
  if (isBroken() || !story.isCompleted) return;
  // What was taken out of the fleet, and is empty, is switched off.
  for (const [name, machine] of world.machines)
    if (!world.store()?.get('core/nodes', name)) machine.killAgent();
  finish(fleet);
  await time.runUntil(time.now() + 5000, isBroken);
  await settle(world, true);
  await time.runUntil(time.now() + 15_000, isBroken);
}

/** People let everything go on, and give each DaemonSet a last revision that works. */
function finish(fleet: Fleet): void {
  const { world, dice, config } = fleet;
  const store = world.store();
  if (!store) return;
  world.trace.note('world', 'the last update');
  removeThePolicy(fleet);
  for (const { metadata } of setsIn(store)) {
    const wish = {
      ...someSet(dice, metadata.name, world.machines.size, config),
      strategy: 'RollingUpdate' as const,
    };
    const template = { ...someTemplate(dice), ...(config ? { config } : {}), app: someGoodApp(dice) };
    world.use(`resume ${wish.name}`, (objects) =>
      annotateSet(objects, wish.name, { 'fleetset.dev/paused': undefined }),
    );
    world.use(`strategy of ${wish.name}: ${shownStrategy(wish)}`, (objects) => setStrategy(objects, wish));
    world.use(`last update of ${wish.name}: ${JSON.stringify(template)}`, (objects) =>
      setTemplate(objects, wish.name, template),
    );
  }
}

async function settle(world: World, complete: boolean): Promise<void> {
  const { time, trace } = world;
  const limit = time.now() + SETTLE_MS;
  let missing: string | undefined = 'nobody has looked';
  while (missing !== undefined && time.now() < limit) {
    await time.runUntil(time.now() + LOOK_EVERY_MS, () => trace.broken() !== undefined);
    if (trace.broken()) return;
    missing = whatIsMissing(world, complete) ?? undefined;
  }
  if (missing !== undefined) trace.break('it ends well', missing);
  else trace.note('world', 'all is well');
}
