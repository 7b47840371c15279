// The agent dies at every single step of a pod's life, before the step or after it but before it knew; the next
// agent finds what was left and brings it to a good end. Then the same at random, among other mishaps.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ContainerRuntime } from '../../src/runtime/container-runtime.ts';
import type { PodBook } from '../../src/state/pod-book.ts';
import { template, toldSet } from '../desired.ts';
import type { FakeEngine } from '../fake-runtime.ts';
import { fakeClock, type NodeWorld, openNodeWorld, type RestartOptions } from '../node-world.ts';
import { settings, TEST_IMAGE } from '../pods.ts';
import { IGNORES_TERM, OBEYS } from '../test-programs.ts';

beforeEach(fakeClock);
afterEach(() => {
  vi.useRealTimers();
});

/** Dies at the given step that changes something: from then on nothing it does has an effect or an answer. */
function mortal(dieAt: number, when: 'before' | 'after') {
  let steps = 0;
  let dead = false;
  const never = new Promise<never>(() => {});
  const step =
    <A extends unknown[], R>(run: (...given: A) => Promise<R>) =>
    async (...given: A): Promise<R> => {
      if (dead) return never;
      steps += 1;
      if (steps !== dieAt) return run(...given);
      dead = true;
      if (when === 'after') await run(...given);
      return never;
    };
  const unlessDead =
    <A extends unknown[], R>(run: (...given: A) => Promise<R>) =>
    (...given: A): Promise<R> =>
      dead ? never : run(...given);
  return {
    dead: () => dead,
    die: () => {
      dead = true;
    },
    wrapRuntime: (runtime: ContainerRuntime): ContainerRuntime => ({
      ...runtime,
      list: unlessDead(runtime.list),
      hasImage: unlessDead(runtime.hasImage),
      holderImage: unlessDead(runtime.holderImage),
      create: step(runtime.create),
      start: step(runtime.start),
      stop: step(runtime.stop),
      remove: step(runtime.remove),
    }),
    wrapPods: (pods: PodBook): PodBook => ({
      ...pods,
      add: step(pods.add),
      forget: step(pods.forget),
      adopt: (record) => (dead ? undefined : pods.adopt(record)),
    }),
  };
}

const IMMORTAL = { wrapRuntime: (as: ContainerRuntime) => as, wrapPods: (as: PodBook) => as };

const web = (revision: string, surge = false) =>
  toldSet('web', {
    revision,
    surge,
    template: template({
      hostNetwork: false,
      priorityClassName: revision,
      containers: ['one', 'two'].map((name) => ({ name, image: TEST_IMAGE, command: [...OBEYS.command] })),
    }),
  });

/** Watches every start: containers of two pods of one set never run at the same time; under a surge never of three. */
function watchForDoubles(engine: FakeEngine, most = 1): () => readonly string[] {
  const doubles: string[] = [];
  const { push } = engine.calls;
  engine.calls.push = (...lines: string[]) => {
    const running = engine
      .containers()
      .filter(({ state, owner }) => state === 'running' && owner === 'test/node-1');
    const uids = new Map<string, Set<string>>();
    for (const { identity } of running) {
      const set = uids.get(identity.pod.daemonSetUid) ?? new Set();
      uids.set(identity.pod.daemonSetUid, set.add(identity.pod.uid));
    }
    for (const [daemonSet, pods] of uids) if (pods.size > most) doubles.push(`${daemonSet} at ${lines}`);
    return push.apply(engine.calls, lines);
  };
  return () => doubles;
}

/** Watches every call of the agent: from the first moment at which a whole pod runs, one always does. */
function watchForGaps(world: NodeWorld): () => readonly string[] {
  const gaps: string[] = [];
  let once = false;
  const { calls } = world.engine;
  const { push } = calls;
  calls.push = (...lines: string[]) => {
    const running = shape(world).filter((line) => line.endsWith('running'));
    const whole = ['web-1', 'web-2'].some((revision) =>
      COMPLETE(revision).every((line) => running.includes(line)),
    );
    if (once && !whole) gaps.push(`at ${lines}`);
    once ||= whole;
    return push.apply(calls, lines);
  };
  return () => gaps;
}

const shape = (world: NodeWorld) =>
  world.engine
    .containers()
    .filter(({ owner }) => owner === 'test/node-1')
    .map(({ identity, state }) => `${identity.pod.revision}/${identity.name || 'POD'} ${state}`)
    .sort();

const COMPLETE = (revision: string) => ['POD', 'one', 'two'].map((name) => `${revision}/${name} running`);

/** One pod, each container once and running, nothing else. */
const converged = (world: NodeWorld, revision: string) =>
  world.until(`exactly the pod of ${revision} runs`, () => {
    const uids = new Set(world.engine.containers().map(({ identity }) => identity.pod.uid));
    return (
      uids.size === 1 &&
      String(shape(world)) === String(COMPLETE(revision)) &&
      world.report().pods.length === 1
    );
  });

interface Phase {
  readonly name: string;
  readonly prepare: (world: NodeWorld) => Promise<void>;
  readonly act: (world: NodeWorld) => Promise<void>;
  readonly end: (world: NodeWorld) => Promise<void>;
  /** How many steps it has; one more is never taken. */
  readonly steps: number;
  readonly surge?: boolean;
}

const PHASES: readonly Phase[] = [
  {
    name: 'placing',
    prepare: async () => {},
    act: (world) => world.tell({ daemonSets: [web('web-1')] }),
    end: (world) => converged(world, 'web-1'),
    steps: 7,
  },
  {
    name: 'updating',
    prepare: async (world) => {
      await world.tell({ daemonSets: [web('web-1')] });
      await converged(world, 'web-1');
    },
    act: (world) => world.tell({ daemonSets: [web('web-2')] }),
    end: (world) => converged(world, 'web-2'),
    steps: 14,
  },
  {
    name: 'updating under a surge',
    surge: true,
    prepare: async (world) => {
      await world.tell({ daemonSets: [web('web-1', true)] });
      await converged(world, 'web-1');
    },
    act: (world) => world.tell({ daemonSets: [web('web-2', true)] }),
    end: (world) => converged(world, 'web-2'),
    steps: 14,
  },
  {
    name: 'deleting',
    prepare: async (world) => {
      await world.tell({ daemonSets: [web('web-1')] });
      await converged(world, 'web-1');
    },
    act: async (world) => {
      const uid = world.report().pods[0]?.uid ?? '';
      await world.tell({ daemonSets: [web('web-1')], tombstones: [{ podUid: uid, graceSeconds: 1 }] });
    },
    end: async (world) => {
      const deleted = world.told()?.tombstones[0]?.podUid;
      await world.until('another pod runs', () => world.report().pods.every(({ uid }) => uid !== deleted));
      await converged(world, 'web-1');
    },
    steps: 14,
  },
  {
    name: 'leaving',
    prepare: async (world) => {
      await world.tell({ daemonSets: [web('web-1')] });
      await converged(world, 'web-1');
    },
    act: (world) => world.tell({}),
    end: (world) =>
      world.until(
        'nothing is left',
        () => world.engine.containers().length === 0 && world.report().pods.length === 0,
      ),
    steps: 7,
  },
];

describe.each(PHASES)('dying while $name', ({ prepare, act, end, steps, surge }) => {
  const points = Array.from({ length: steps }, (_, index) =>
    (['before', 'after'] as const).map((when) => [when, index + 1] as const),
  ).flat();

  it.each(points)('%s step %i leaves nothing doubled, orphaned or forgotten', async (when, dieAt) => {
    const world = await openNodeWorld();
    const doubles = watchForDoubles(world.engine, surge ? 2 : 1);
    const gaps = surge ? watchForGaps(world) : () => [];
    await prepare(world);
    const life = mortal(dieAt, when);
    await world.restart(life);
    await act(world);
    await world.until('it is dead', life.dead);
    await world.restart({ ...IMMORTAL, killed: true });
    await end(world);
    const before = world.engine.calls.length;
    await world.pass(90);
    expect(world.engine.calls.slice(before)).toEqual([]);
    expect(doubles()).toEqual([]);
    expect(gaps()).toEqual([]);
  });

  it('has no more steps than were looked at', async () => {
    const world = await openNodeWorld();
    await prepare(world);
    const life = mortal(steps + 1, 'before');
    await world.restart(life);
    await act(world);
    await end(world);
    await world.pass(60);
    expect(life.dead()).toBe(false);
  });
});

type Mishap =
  | { readonly kind: 'tell'; readonly revision: number; readonly surge: boolean }
  | { readonly kind: 'remove' | 'restart' | 'lose-book' | 'lose-told' | 'down' | 'up' | 'cut' }
  | { readonly kind: 'die'; readonly at: number; readonly when: 'before' | 'after' }
  | { readonly kind: 'kill' | 'vanish'; readonly which: number }
  | {
      readonly kind: 'fail';
      readonly call: 'create' | 'start' | 'stop' | 'remove' | 'list';
      readonly how: 'before' | 'after';
    }
  | { readonly kind: 'pass'; readonly seconds: number };

const mishap: fc.Arbitrary<Mishap> = fc.oneof(
  fc.record({
    kind: fc.constant('tell' as const),
    revision: fc.integer({ min: 1, max: 3 }),
    surge: fc.boolean(),
  }),
  fc.record({ kind: fc.constantFrom('remove', 'restart', 'lose-book', 'lose-told', 'down', 'up', 'cut') }),
  fc.record({
    kind: fc.constant('die' as const),
    at: fc.integer({ min: 1, max: 8 }),
    when: fc.constantFrom('before', 'after'),
  }),
  fc.record({ kind: fc.constantFrom('kill', 'vanish'), which: fc.nat(10) }),
  fc.record({
    kind: fc.constant('fail' as const),
    call: fc.constantFrom('create', 'start', 'stop', 'remove', 'list'),
    how: fc.constantFrom('before', 'after'),
  }),
  fc.record({ kind: fc.constant('pass' as const), seconds: fc.integer({ min: 0, max: 40 }) }),
);

const slow = toldSet('slow', {
  template: template({
    containers: [{ name: 'app', image: TEST_IMAGE, command: [...IGNORES_TERM.command] }],
  }),
});

async function happen(world: NodeWorld, what: Mishap, life: { end?: () => void }): Promise<void> {
  const { engine } = world;
  const restart = (options: RestartOptions = {}) => {
    life.end?.();
    const killed = life.end !== undefined;
    delete life.end;
    return world.restart({ ...IMMORTAL, killed, ...options });
  };
  switch (what.kind) {
    case 'tell':
      return world.tell({ daemonSets: [web(`web-${what.revision}`, what.surge), slow] });
    case 'remove':
      return world.tell({ daemonSets: [slow] });
    case 'restart':
      return restart();
    case 'lose-told':
      return restart({ told: undefined });
    case 'lose-book':
      return restart({ meanwhile: () => rm(join(world.directory, 'pods.json'), { force: true }) });
    case 'die': {
      const { die, ...wrapped } = mortal(what.at, what.when);
      await restart(wrapped);
      life.end = die;
      return;
    }
    case 'down':
      return engine.setDown(true);
    case 'up':
      return engine.setDown(false);
    case 'cut':
      return engine.cutEvents();
    case 'fail':
      return engine.fail({ call: what.call, how: what.how, times: 1 });
    case 'kill':
    case 'vanish': {
      const ours = engine.containers().filter(({ owner }) => owner === 'test/node-1');
      const id = ours[what.which % Math.max(1, ours.length)]?.id;
      if (id) what.kind === 'kill' ? engine.end(id) : engine.vanish(id);
      return;
    }
    case 'pass':
      return world.pass(what.seconds);
  }
}

describe('among mishaps of every kind', () => {
  it('two pods of one set never run together but under a surge, strangers are left alone, and it ends well', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(mishap, { minLength: 1, maxLength: 12 }), async (mishaps) => {
        const world = await openNodeWorld();
        const surged = mishaps.some((what) => what.kind === 'tell' && what.surge);
        const doubles = watchForDoubles(world.engine, surged ? 2 : 1);
        const stranger = world.engine.runtime('somebody/else');
        await stranger.start(await stranger.create(settings()));
        const life: { end?: () => void } = {};
        for (const what of mishaps) {
          await happen(world, what, life);
          await world.pass(1);
        }
        world.engine.heal();
        world.engine.setDown(false);
        await happen(world, { kind: 'restart' }, life);
        await world.tell({ daemonSets: [web('web-9')] });
        await world.until('exactly what was told last runs', () => {
          const ours = world.engine.containers().filter(({ owner }) => owner === 'test/node-1');
          return (
            String(shape(world).filter((line) => line.endsWith('running'))) === String(COMPLETE('web-9')) &&
            new Set(ours.map(({ identity }) => identity.pod.uid)).size === 1
          );
        });
        await world.until('nobody else is reported', () => world.report().pods.length === 1);
        expect(doubles()).toEqual([]);
        expect(await stranger.list()).toMatchObject([{ state: 'running' }]);
        await world.now().agent.stop();
      }),
      { numRuns: 80 * Number(process.env.FC_RUNS ?? 1), seed: Number(process.env.FC_SEED ?? 20_261_123) },
    );
  });
});
