// Each law catches the bug that it was written against. A mutant takes the place of one function of the real plane or
// agent; seeds are run until one breaks the law.
import type { NodeDesired } from '@fleetset/proto/gen/fleetset/v1/node';
import { containerKey, HOLDER } from '@fleetset/scheduler-core/node/pod-record';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { run } from '../src/run.ts';

/** Which mutant lives now, and the function that is one while its mutant does. */
const { mutant, on } = vi.hoisted(() => {
  const alive = { now: '' };
  const choose = <F extends (...args: never[]) => unknown>(name: string, broken: F, whole: F): F =>
    ((...args) => (alive.now === name ? broken : whole)(...args)) as F;
  return { mutant: alive, on: choose };
});

vi.mock('@fleetset/scheduler-core/rollout/plan-rollout', async (original) => {
  const real = await original<typeof import('@fleetset/scheduler-core/rollout/plan-rollout')>();
  const { planRollout } = real;
  return {
    ...real,
    planRollout: on(
      'spends without a limit',
      (input) => planRollout({ ...input, strategy: { ...input.strategy, maxUnavailable: '100%' } }),
      on(
        'surges without a limit',
        (input) =>
          planRollout({
            ...input,
            strategy: { ...input.strategy, ...(input.strategy.maxSurge ? { maxSurge: '100%' } : {}) },
          }),
        planRollout,
      ),
    ),
  };
});

vi.mock('@fleetset/scheduler-core/rollout/advance-rollout', async (original) => {
  const real = await original<typeof import('@fleetset/scheduler-core/rollout/advance-rollout')>();
  const { advanceRollout } = real;
  return {
    ...real,
    advanceRollout: on(
      'tries again by itself',
      (before, times, view) => {
        const isBack = before?.phase === 'RolledBack';
        const again =
          isBack && advanceRollout({ ...before, phase: 'Progressing', failures: {} }, times, view);
        // What fails again at once would be looked at for ever.
        return again && again.record.phase !== 'RolledBack' ? again : advanceRollout(before, times, view);
      },
      on(
        'gives up the way back',
        (...args) => {
          const advance = advanceRollout(...args);
          const { record, times } = advance;
          const SLOW_MS = 4000;
          // Sooner than after the deadline, which hardly any way back of these stories takes.
          const isSlow = record.phase === 'RollingBack' && args[2].now - times.progressAt > SLOW_MS;
          return isSlow ? { ...advance, record: { ...record, phase: 'Stopped' } } : advance;
        },
        advanceRollout,
      ),
    ),
  };
});

vi.mock('@fleetset/scheduler-core/rollout/daemon-set-status', async (original) => {
  const real = await original<typeof import('@fleetset/scheduler-core/rollout/daemon-set-status')>();
  const { daemonSetStatus } = real;
  return {
    ...real,
    daemonSetStatus: on(
      'counts wrong',
      (nodes, target, generation, previous) => ({
        ...daemonSetStatus(nodes, target, generation, previous),
        numberMisscheduled: 1,
      }),
      daemonSetStatus,
    ),
  };
});

vi.mock('@fleetset/scheduler-core/node/plan-node', async (original) => {
  const real = await original<typeof import('@fleetset/scheduler-core/node/plan-node')>();
  const { planNode } = real;
  const startsBeside: typeof planNode = (input) => {
    const plan = planNode(input);
    const waiting = new Set(
      plan.pods.filter(({ bucket }) => bucket === 'prepare').map(({ record }) => record.uid),
    );
    const starts = input.containers
      .filter(({ podUid, state }) => waiting.has(podUid) && state === 'created')
      .map(({ podUid, name, id }) => ({
        kind: 'start' as const,
        podUid,
        container: name,
        id,
        reason: 'a mutant',
      }));
    return { ...plan, actions: [...plan.actions, ...starts] };
  };
  const restarts: typeof planNode = (input) => {
    const plan = planNode(input);
    const stops = input.containers
      .filter(({ state }) => state === 'running' && input.now > 10_000)
      .map(({ podUid, name, id }) => ({
        kind: 'stop' as const,
        podUid,
        container: name,
        id,
        graceSeconds: 1,
        reason: 'a mutant',
      }));
    return { ...plan, actions: [...plan.actions, ...stops] };
  };
  const forgetsEarly: typeof planNode = (input) => {
    const plan = planNode(input);
    const forgets = plan.pods
      .filter(({ bucket }) => bucket === 'stop')
      .map(({ record }) => ({ kind: 'forget' as const, podUid: record.uid, reason: 'a mutant' }));
    return { ...plan, actions: forgets };
  };
  const doubles: typeof planNode = (input) => {
    const plan = planNode(input);
    return { ...plan, pods: [...plan.pods, ...plan.pods] };
  };
  const asSurge = (surge: boolean) => (input: Parameters<typeof planNode>[0]) =>
    planNode({ ...input, daemonSets: input.daemonSets.map((set) => ({ ...set, surge })) });
  const mutants: { readonly [name: string]: typeof planNode } = {
    'doubles a bucket': doubles,
    'forgets pods that have containers': forgetsEarly,
    'starts beside': startsBeside,
    restarts,
    'starts what it makes': (input) => {
      const all = planNode(input).pods.flatMap(({ record }) =>
        ['c0', 'c1', HOLDER].map((name) => containerKey(record.uid, name)),
      );
      return { ...planNode(input), startable: new Set(all) };
    },
    'always surges': asSurge(true),
    'never surges': asSurge(false),
    'forgets orphans': (input) => planNode({ ...input, orphans: new Set() }),
    'leaves the sick alone': (input) => planNode({ ...input, unhealthy: new Map() }),
  };
  return {
    ...real,
    planNode: (input: Parameters<typeof planNode>[0]) => (mutants[mutant.now] ?? planNode)(input),
  };
});

vi.mock('@fleetset/agent/state/pod-book', async (original) => {
  const real = await original<typeof import('@fleetset/agent/state/pod-book')>();
  const { openPodBook } = real;
  return {
    ...real,
    openPodBook: on(
      'forgets pods that have containers',
      async (...args) => ({ ...(await openPodBook(...args)), adopt: () => {} }),
      openPodBook,
    ),
  };
});

vi.mock('@fleetset/agent/state/desired-file', async (original) => {
  const real = await original<typeof import('@fleetset/agent/state/desired-file')>();
  const { openDesiredFile } = real;
  const onlyNewer: typeof openDesiredFile = async (...args) => {
    const file = await openDesiredFile(...args);
    const isKnown = (desired: NodeDesired) =>
      JSON.stringify(desired.generation) === JSON.stringify(file.current()?.generation);
    return {
      ...file,
      offer: (desired) => (isKnown(desired) ? new Promise(() => {}) : file.offer(desired)),
    };
  };
  return {
    ...real,
    openDesiredFile: on(
      'accepts all',
      async (...args) => {
        const file = await openDesiredFile(...args);
        let last = file.current();
        return {
          current: () => last,
          offer: async (desired) => {
            last = desired;
            return undefined;
          },
        };
      },
      on('waits for something newer', onlyNewer, openDesiredFile),
    ),
  };
});

vi.mock('@fleetset/agent/state/durable-file', async (original) => {
  const real = await original<typeof import('@fleetset/agent/state/durable-file')>();
  const { writeDurable, MACHINE_FILES } = real;
  return {
    ...real,
    writeDurable: on(
      'does not flush',
      async (path, data, mode, files = MACHINE_FILES) => {
        const file = await files.open(`${path}.new`, 'w', mode);
        await file.writeFile(data);
        await file.close();
        await files.rename(`${path}.new`, path);
      },
      writeDurable,
    ),
  };
});

vi.mock('@fleetset/agent/node/known-engine', async (original) => {
  const real = await original<typeof import('@fleetset/agent/node/known-engine')>();
  const { knowEngine } = real;
  const neverDoubts: typeof knowEngine = (runtime) => {
    const engine = knowEngine(runtime);
    let listed: Awaited<ReturnType<typeof engine.list>> | undefined;
    return {
      ...engine,
      list: async () => {
        listed = await engine.list();
        return listed;
      },
      known: async () => listed,
    };
  };
  return { ...real, knowEngine: on('never doubts what they know', neverDoubts, knowEngine) };
});

vi.mock('@fleetset/agent/node/reporter', async (original) => {
  const real = await original<typeof import('@fleetset/agent/node/reporter')>();
  const { createReporter } = real;
  return {
    ...real,
    createReporter: on(
      'tells a new listener nothing',
      (parts) => ({ ...createReporter(parts), connected: () => {} }),
      createReporter,
    ),
  };
});

vi.mock('@fleetset/plane/rollout/closed-nodes', async (original) => {
  const real = await original<typeof import('@fleetset/plane/rollout/closed-nodes')>();
  const { openClosedBook } = real;
  const empty: typeof openClosedBook = () => ({ touch: () => {}, look: () => ({ closed: new Map() }) });
  const deaf: typeof openClosedBook = (all) => {
    const withoutWindows = {
      keys: () => all.keys(),
      get: (name: string) => {
        const view = all.get(name);
        return view && { ...view, maintenance: undefined };
      },
    };
    return openClosedBook(withoutWindows as unknown as typeof all, new Map());
  };
  return {
    ...real,
    openClosedBook: on(
      'knows no windows',
      empty,
      on('does not listen to nodes about windows', deaf, openClosedBook),
    ),
  };
});

vi.mock('@fleetset/scheduler-core/node/hold', async (original) => {
  const real = await original<typeof import('@fleetset/scheduler-core/node/hold')>();
  const { holdLeftMs, holdText } = real;
  return {
    ...real,
    holdText: on('knows no holds', (_holds) => undefined, holdText),
    holdLeftMs: on('holds for ever', (hold) => hold.forMs, holdLeftMs),
  };
});

vi.mock('@fleetset/plane/store/sqlite-store', async (original) => {
  const real = await original<typeof import('@fleetset/plane/store/sqlite-store')>();
  const { openSqliteStore } = real;
  const forgetful: typeof openSqliteStore = (...args) => {
    const store = openSqliteStore(...args);
    return {
      ...store,
      commit: (writes) => store.commit(writes.map((write) => ({ ...write, durable: false }))),
    };
  };
  const ageless: typeof openSqliteStore = (...args) => ({ ...openSqliteStore(...args), epoch: 1 });
  return {
    ...real,
    openSqliteStore: on('has no epochs', ageless, on('writes nothing down', forgetful, openSqliteStore)),
  };
});

vi.mock('@fleetset/plane/rollout/desired-state', async (original) => {
  const real = await original<typeof import('@fleetset/plane/rollout/desired-state')>();
  const { desiredFor } = real;
  return {
    ...real,
    desiredFor: on(
      'throws',
      () => {
        throw new Error('a mutant');
      },
      on(
        'tells the config as it is now',
        (inputs, node) => desiredFor({ ...inputs, holdsConfig: () => false }, node),
        desiredFor,
      ),
    ),
  };
});

const MOST_SEEDS = 1000;

/**
 * Whether seeds break this law: the one that did last, then others. A change of what is simulated may give it another
 * life; the test is slow then, until the seed that it tells is written down.
 */
async function firstBroken(law: string, seed: number): Promise<string | undefined> {
  const others = Array.from({ length: MOST_SEEDS }, (_, index) => index + 1);
  for (const next of [seed, ...others]) {
    const { broken } = await run({ seed: next });
    if (broken?.law !== law) continue;
    if (next !== seed) console.log(`${mutant.now}: not ${seed} but ${next}`);
    return law;
  }
  return undefined;
}

describe('a fleet', { timeout: 600_000 }, () => {
  afterEach(() => {
    mutant.now = '';
  });

  it.each([
    ['whose planner', 'spends without a limit', 'the budget', 16],
    ['whose planner', 'tries again by itself', 'a rollback ends', 8],
    ['whose planner', 'gives up the way back', 'a rollback ends', 381],
    ['whose plane', 'counts wrong', 'it ends well', 3],
    ['whose agents', 'starts beside', 'one pod runs', 6],
    ['whose agents', 'starts what it makes', 'one pod runs', 2],
    ['whose planner', 'surges without a limit', 'the surge', 83],
    ['whose agents', 'never doubts what they know', 'no needless restart', 536],
    ['whose agents', 'always surges', 'one pod runs', 4],
    ['whose agents', 'never surges', 'a surge takes nothing down', 3],
    ['whose fleet', 'knows no holds', 'a hold is kept', 19],
    ['whose agents', 'holds for ever', 'it ends well', 6],
    ['whose agents', 'waits for something newer', 'it ends well', 6],
    ['whose plane', 'tells the config as it is now', 'config comes with its revision', 23],
    ['whose plane', 'knows no windows', 'the windows', 5],
    ['whose plane', 'does not listen to nodes about windows', 'the windows', 95],
    ['whose agents', 'forgets orphans', 'no needless restart', 2],
    ['whose agents', 'leaves the sick alone', 'it ends well', 14],
    ['whose agents', 'restarts', 'no needless restart', 1],
    ['whose agents', 'forgets pods that have containers', 'it ends well', 4],
    ['whose agents', 'doubles a bucket', 'every pod in one bucket', 1],
    ['whose agents', 'accepts all', 'an older generation changes nothing', 2],
    ['whose disks', 'does not flush', 'nothing fails', 13],
    ['whose agents', 'tells a new listener nothing', 'it ends well', 147],
    ['whose store', 'writes nothing down', 'it ends well', 4],
    ['whose store', 'has no epochs', 'generations only grow', 42],
    ['whose plane', 'throws', 'nothing fails', 1],
  ])('%s %s breaks the law: %s', async (_who, what, law, seed) => {
    mutant.now = what;
    expect(await firstBroken(law, seed), 'the mutant went unnoticed').toBe(law);
  });
});
