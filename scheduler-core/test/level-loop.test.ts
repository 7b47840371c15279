// Proves the level-triggered loop by every short interleaving: wakes at each point of a pass and at each microtask
// around it. The last wake is followed by a pass that began after it, passes never overlap, failures are retried.
import { type LevelLoop, type LevelLoopParts, startLevelLoop } from '@fleetset/scheduler-core/level-loop';
import { describe, expect, test } from 'vitest';

type Start = (parts: LevelLoopParts) => LevelLoop;
type Outcome = 'ends' | 'throws at once' | 'throws later';

/** When to call, in two clocks: microtasks since the first wake, and points passed inside passes. */
interface Moments {
  readonly ticks: readonly number[];
  readonly points: readonly number[];
}

const TICKS = 14;
const POINTS = 6;

/** Timers that only fire when told to. */
function fakeTimers() {
  const pending = new Set<() => void>();
  const delays: number[] = [];
  return {
    delays,
    pending,
    schedule: (delayMs: number, callback: () => void) => {
      const fire = () => {
        pending.delete(fire);
        callback();
      };
      delays.push(delayMs);
      pending.add(fire);
      return () => void pending.delete(fire);
    },
  };
}

const turns = async (count: number) => {
  for (let turn = 0; turn < count; turn++) await Promise.resolve();
};

/** Plays one interleaving; `call` is what happens at the moments: a wake or a stop. */
async function play(
  start: Start,
  { ticks, points }: Moments,
  outcomes: readonly Outcome[],
  call: 'wake' | 'stop',
) {
  const timers = fakeTimers();
  let clock = 0;
  let point = 0;
  let active = 0;
  const seen = {
    overlap: false,
    lastWake: 0,
    lastGood: 0,
    lastBegan: 0,
    stopCalled: 0,
    stopWhileActive: false,
  };
  const stops: Promise<void>[] = [];
  const act = () => {
    clock += 1;
    if (call === 'wake') {
      seen.lastWake = clock;
      loop.wake();
      return;
    }
    seen.stopCalled ||= clock;
    stops.push(
      loop.stop().then(() => {
        if (active > 0) seen.stopWhileActive = true;
      }),
    );
    loop.wake();
  };
  const here = () => {
    if (points.includes(point++)) act();
  };
  let passes = 0;
  const pass = async () => {
    const outcome = outcomes[passes++] ?? 'ends';
    const began = ++clock;
    seen.lastBegan = began;
    active += 1;
    if (active > 1) seen.overlap = true;
    try {
      here();
      if (outcome === 'throws at once') throw new Error('at once');
      await Promise.resolve();
      here();
      await Promise.resolve();
      here();
      if (outcome === 'throws later') throw new Error('later');
      seen.lastGood = began;
      return {};
    } finally {
      active -= 1;
    }
  };
  const loop = start({ pass, schedule: timers.schedule, onFailure: () => {} });
  seen.lastWake = ++clock;
  loop.wake();
  for (let tick = 0; tick < TICKS; tick++) {
    if (ticks.includes(tick)) act();
    await Promise.resolve();
  }
  await turns(60);
  for (let fired = 0; timers.pending.size > 0 && fired < 10; fired++) {
    for (const fire of [...timers.pending]) fire();
    await turns(60);
  }
  await Promise.all(stops);
  return { ...seen, passes, timersLeft: timers.pending.size };
}

const subsets = (size: number, most: number): number[][] => {
  let all: number[][] = [[]];
  for (let index = 0; index < size; index++)
    all = [...all, ...all.filter(({ length }) => length < most).map((one) => [...one, index])];
  return all;
};
const MOMENTS = subsets(TICKS, 2).flatMap((ticks) =>
  subsets(POINTS, 2).map((points): Moments => ({ ticks, points })),
);
const OUTCOMES: readonly (readonly Outcome[])[] = [
  [],
  ['throws at once'],
  ['throws later'],
  ['ends', 'throws later'],
  ['throws later', 'throws at once', 'throws later'],
];

/** What is wrong with the first interleaving that goes wrong; undefined when none does. */
async function sweep(start: Start, moments = MOMENTS): Promise<string | undefined> {
  for (const outcomes of OUTCOMES)
    for (const at of moments) {
      const seen = await play(start, at, outcomes, 'wake');
      const problem = seen.overlap
        ? 'two passes at once'
        : seen.lastGood < seen.lastWake
          ? 'no good pass began after the last wake'
          : undefined;
      if (problem) return `${problem}: ${JSON.stringify({ at, outcomes })}`;
    }
  return undefined;
}

async function sweepStop(start: Start): Promise<string | undefined> {
  const once = subsets(TICKS, 1).flatMap((ticks) =>
    subsets(POINTS, 1).map((points): Moments => ({ ticks, points })),
  );
  for (const outcomes of OUTCOMES)
    for (const at of once.filter(({ ticks, points }) => ticks.length + points.length > 0)) {
      const seen = await play(start, at, outcomes, 'stop');
      const problem =
        seen.stopCalled > 0 && seen.lastBegan > seen.stopCalled
          ? 'a pass began after stop'
          : seen.stopWhileActive
            ? 'stop answered during a pass'
            : seen.timersLeft > 0
              ? 'a timer was left'
              : undefined;
      if (problem) return `${problem}: ${JSON.stringify({ at, outcomes })}`;
    }
  return undefined;
}

describe('every short interleaving', () => {
  test('of wakes', async () => {
    expect(MOMENTS.length).toBeGreaterThan(2000);
    expect(await sweep(startLevelLoop)).toBeUndefined();
  });
  test('of a stop, with a wake right after it', async () => {
    expect(await sweepStop(startLevelLoop)).toBeUndefined();
  });
});

describe('loops that are not level-triggered are caught', () => {
  const noStop = async () => {};
  const mutants: readonly (readonly [string, Start])[] = [
    [
      'one that ignores wakes during a pass',
      ({ pass }) => {
        let running = false;
        const wake = () => {
          if (running) return;
          running = true;
          void pass()
            .catch(wake)
            .finally(() => {
              running = false;
            });
        };
        return { wake, stop: noStop };
      },
    ],
    [
      'one that forgets what came during a pass when the pass ends',
      ({ pass }) => {
        let dirty = false;
        let running = false;
        const run = async () => {
          running = true;
          while (dirty) {
            await pass().catch(() => {});
            dirty = false;
          }
          running = false;
        };
        const wake = () => {
          dirty = true;
          if (!running) void run();
        };
        return { wake, stop: noStop };
      },
    ],
    [
      'one that is not yet running while its first pass begins',
      ({ pass, schedule }) => {
        let dirty = false;
        let running: Promise<void> | undefined;
        const run = async () => {
          while (dirty) {
            dirty = false;
            await pass().catch(() => schedule(100, wake));
          }
          running = undefined;
        };
        const wake = () => {
          dirty = true;
          if (!running) running = run();
        };
        return { wake, stop: noStop };
      },
    ],
    [
      'one that starts a pass for each wake',
      ({ pass }) => ({ wake: () => void pass().catch(() => {}), stop: noStop }),
    ],
    ['one that does not try again', (parts) => startLevelLoop({ ...parts, schedule: () => () => {} })],
  ];
  test.each(mutants)('%s', async (_what, mutant) => {
    expect(await sweep(mutant)).toMatch(/^(two passes at once|no good pass began after the last wake)/);
  });
  test('one that goes on after stop', async () => {
    expect(await sweepStop((parts) => ({ wake: startLevelLoop(parts).wake, stop: noStop }))).toMatch(
      /^a pass began after stop/,
    );
  });
  test('one that does not wait for its last pass', async () => {
    const hasty: Start = (parts) => {
      const loop = startLevelLoop(parts);
      return { wake: loop.wake, stop: async () => void loop.stop() };
    };
    expect(await sweepStop(hasty)).toMatch(/^stop answered during a pass/);
  });
});

describe('waiting', () => {
  const loopOf = (pass: LevelLoopParts['pass'], retryMs?: { first: number; max: number }) => {
    const timers = fakeTimers();
    const failures: number[] = [];
    const loop = startLevelLoop({
      pass,
      schedule: timers.schedule,
      onFailure: (_error, retryInMs) => failures.push(retryInMs),
      ...(retryMs ? { retryMs } : {}),
    });
    const fire = async () => {
      for (const one of [...timers.pending]) one();
      await turns(20);
    };
    return { ...timers, failures, loop, fire };
  };

  test('a failed pass is tried again, later each time, up to a limit', async () => {
    const { loop, fire, failures, delays } = loopOf(async () => {
      throw new Error('no');
    });
    loop.wake();
    await turns(20);
    for (let retry = 0; retry < 9; retry++) await fire();
    const expected = [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000];
    expect(failures).toEqual(expected);
    expect(delays).toEqual(expected);
  });

  test('a good pass forgets the failures', async () => {
    let passes = 0;
    const { loop, fire, delays } = loopOf(
      async () => {
        passes += 1;
        if (passes !== 3) throw new Error('no');
        return {};
      },
      { first: 1, max: 100 },
    );
    loop.wake();
    await turns(20);
    await fire();
    await fire();
    loop.wake();
    await turns(20);
    expect(delays).toEqual([1, 2, 1]);
  });

  test('a pass that throws without a promise fails like any other', async () => {
    const { loop, failures } = loopOf(() => {
      throw new Error('at once');
    });
    loop.wake();
    await turns(20);
    expect(failures).toEqual([100]);
  });

  test('a pass may ask for a rest: who wakes meanwhile is served together, when it is over', async () => {
    let passes = 0;
    const { loop, fire, delays } = loopOf(async () => {
      passes += 1;
      return { restMs: 30 };
    });
    loop.wake();
    await turns(20);
    for (let times = 0; times < 3; times++) {
      loop.wake();
      await turns(20);
    }
    expect([passes, delays]).toEqual([1, [30]]);
    await fire();
    expect([passes, delays]).toEqual([2, [30, 30]]);
    await fire();
    expect(passes).toBe(2);
    loop.wake();
    await turns(20);
    expect(passes).toBe(3);
  });

  test('a stop waits for no rest', async () => {
    let passes = 0;
    const { loop, pending } = loopOf(async () => {
      passes += 1;
      return { restMs: 30 };
    });
    loop.wake();
    await turns(20);
    loop.wake();
    await loop.stop();
    expect([passes, pending.size]).toEqual([1, 0]);
  });

  test('a pass may ask for the next; a wake before then takes its place', async () => {
    let passes = 0;
    const { loop, fire, delays, pending } = loopOf(async () => {
      passes += 1;
      return passes < 4 ? { againInMs: passes * 1000 } : {};
    });
    loop.wake();
    await turns(20);
    await fire();
    loop.wake();
    await turns(20);
    expect([passes, delays, pending.size]).toEqual([3, [1000, 2000, 3000], 1]);
    await fire();
    expect([passes, pending.size]).toEqual([4, 0]);
  });

  test('any number of wakes at once are one pass', async () => {
    let passes = 0;
    const { loop } = loopOf(async () => {
      passes += 1;
      return {};
    });
    for (let wake = 0; wake < 100; wake++) loop.wake();
    await turns(20);
    expect(passes).toBe(1);
  });
});
