// What is known of the engine without asking it is what it would say, or nothing.
import { HOLDER } from '@fleetset/scheduler-core/node/pod-record';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { type KnownEngine, knowEngine } from '../../src/node/known-engine.ts';
import type { EngineChange, EngineWatcher, RuntimeContainer } from '../../src/runtime/container-runtime.ts';
import { createFakeEngine, type FakeEngine } from '../fake-runtime.ts';
import { podRecord, settings } from '../pods.ts';
import { OBEYS, SAYS_AND_FAILS } from '../test-programs.ts';

const OWNER = 'owner';

let engine: FakeEngine;
let known: KnownEngine;
/** What the engine has said, and the agent has not heard: in its order. */
let unheard: ((watcher: EngineWatcher) => void)[];
let watcher: EngineWatcher;
const ignored: EngineWatcher = { onOpen: () => {}, onChange: () => {}, onLost: () => {} };

beforeEach(() => open());
function open(): void {
  engine = createFakeEngine();
  unheard = [];
  const runtime = engine.runtime(OWNER);
  known = knowEngine({
    ...runtime,
    follow: (given, signal) => {
      watcher = given;
      const late: EngineWatcher = {
        onOpen: () => unheard.push((to) => to.onOpen()),
        onChange: (change) => unheard.push((to) => to.onChange(change)),
        onLost: () => unheard.push((to) => to.onLost()),
      };
      runtime.follow(late, signal);
    },
  });
  known.follow(ignored, new AbortController().signal);
}
const hear = (count = unheard.length) => {
  for (const tell of unheard.splice(0, count)) tell(watcher);
};
const make = (name = 'app', attempt = 0, program = OBEYS) =>
  known.create(
    settings(program, {
      name: `${name}-${attempt}`,
      identity: { pod: podRecord(), name, attempt },
      network: 'own',
    }),
  );
const running = async (name = 'app') => {
  const id = await make(name);
  await known.start(id);
  hear();
  await known.list();
  return id;
};
const shown = (containers: readonly RuntimeContainer[] | undefined) =>
  containers?.map(({ id, state, exitCode, ip, pid, oomKilled }) => ({
    id,
    state,
    exitCode,
    ip,
    pid,
    oomKilled,
  }));
const isKnown = async () => {
  expect(await asked()).toEqual([0, 0]);
  await isTrue();
};
const isTrue = async () => expect(shown(await known.known())).toEqual(shown(engine.containers()));
/** How often the engine is asked for what is known now: lists, inspections. */
const asked = async () => {
  const before = [engine.count('list'), engine.count('inspect')] as const;
  await known.known();
  return [engine.count('list') - before[0], engine.count('inspect') - before[1]];
};

describe('only a list can tell', () => {
  it('before there was one, and before the engine tells what happens', async () => {
    await known.list();
    expect(await known.known()).toBeUndefined();
    hear();
    expect(await known.known()).toBeUndefined();
    await known.list();
    expect(await known.known()).toEqual([]);
  });

  it.each<[string, (id: string) => unknown]>([
    [
      'a making that was done and answered with an error',
      () => {
        engine.fail({ call: 'create', how: 'after' });
        return make('other').catch(() => {});
      },
    ],
    [
      'something that happened to one that is not known',
      () => watcher.onChange({ id: 'nobody', what: 'other' }),
    ],
    ['what may have been missed', () => watcher.onChange(undefined)],
    ['an end that this agent did not ask for', (id) => engine.end(id) ?? hear()],
    ['the end of what is told', () => watcher.onLost()],
  ])('after %s', async (what, happens) => {
    const id = await running();
    await isTrue();
    await happens(id);
    expect(await known.known()).toBeUndefined();
    if (what === 'the end of what is told') {
      await known.list();
      expect(await known.known()).toBeUndefined();
      watcher.onOpen();
    }
    hear();
    await known.list();
    await isTrue();
  });

  it('when that was so while it was listed', async () => {
    await running();
    const list = known.list();
    watcher.onChange(undefined);
    await list;
    expect(await known.known()).toBeUndefined();
  });

  it('when it becomes so while one is inspected', async () => {
    const id = await running();
    watcher.onChange({ id, what: 'other' });
    const answer = known.known();
    watcher.onChange(undefined);
    expect(await answer).toBeUndefined();
  });

  it('and what was asked of one before that says nothing against it', async () => {
    const id = await running();
    const runtime = engine.runtime(OWNER);
    const slow = knowEngine({
      ...runtime,
      inspect: async (one) => {
        const answer = await runtime.inspect(one);
        await new Promise((resolve) => setTimeout(resolve, 20));
        return answer;
      },
      follow: (given) => {
        watcher = given;
      },
    });
    slow.follow(ignored, new AbortController().signal);
    watcher.onOpen();
    await slow.list();
    watcher.onChange({ id, what: 'other' });
    const answer = slow.known();
    await new Promise((resolve) => setTimeout(resolve, 5));
    watcher.onLost();
    engine.end(id);
    watcher.onOpen();
    await slow.list();
    await answer;
    expect(await slow.known()).toMatchObject([{ state: 'exited' }]);
  });
});

describe('one is inspected', () => {
  it.each<[string, (id: string) => unknown]>([
    ['a start', async () => known.start(await make('other'))],
    [
      'a start that was done and answered with an error',
      async () => {
        const id = await make('other');
        engine.fail({ call: 'start', how: 'after' });
        await known.start(id).catch(() => {});
      },
    ],
    ['a kill', (id) => known.kill(id)],
    ['a stop whose end is not heard yet', (id) => known.stop(id, 0)],
    [
      'a stop that was done and answered with an error',
      (id) => {
        engine.fail({ call: 'stop', how: 'after' });
        return known.stop(id, 0).catch(() => {});
      },
    ],
    [
      'a removal that was done and answered with an error',
      (id) => {
        engine.fail({ call: 'remove', how: 'after' });
        return known.remove(id).catch(() => {});
      },
    ],
    ['something that the engine only names', (id) => watcher.onChange({ id, what: 'other' })],
    [
      'an end before the last start',
      (id) => {
        const stop = known.stop(id, 0);
        watcher.onChange(endOf(id, '2001-01-01T00:00:00Z'));
        return stop;
      },
    ],
  ])('after %s', async (_what, happens) => {
    const id = await running();
    await running('third');
    await happens(id);
    expect(await asked()).toEqual([0, 1]);
    expect(await asked()).toEqual([0, 0]);
    await isTrue();
  });

  it('after the end of a holder, whose ports are not free yet', async () => {
    const id = await running(HOLDER);
    const stop = known.stop(id, 0);
    watcher.onChange(endOf(id));
    await stop;
    expect(await asked()).toEqual([0, 1]);
    await isTrue();
  });

  it('no second time after a start, when the engine told of it before it answered', async () => {
    const id = await make();
    hear();
    await known.list();
    const start = known.start(id);
    while (unheard.length === 0) await Promise.resolve();
    hear();
    const seen = await known.known();
    await start;
    expect(seen).toMatchObject([{ state: 'running' }]);
    await isKnown();
  });

  it('once more when something happens to it meanwhile', async () => {
    const id = await running();
    watcher.onChange({ id, what: 'other' });
    const answer = known.known();
    watcher.onChange({ id, what: 'other' });
    await answer;
    expect(await asked()).toEqual([0, 1]);
  });

  it('and what the engine does not answer is nobody’s to know', async () => {
    const id = await running();
    watcher.onChange({ id, what: 'other' });
    engine.setDown(true);
    await expect(known.known()).rejects.toThrow('it is down');
  });
});

const endOf = (id: string, at = new Date().toISOString()): EngineChange => ({
  id,
  what: 'ended',
  exitCode: 0,
  at,
});

describe('nothing is asked about', () => {
  it('what was made', async () => {
    await running();
    await make('other');
    await isKnown();
  });

  it('what ended as it was stopped, and with which code', async () => {
    const id = await running();
    engine.setLatency('stop', 20);
    const stop = known.stop(id, 30);
    engine.end(id, 3);
    hear();
    await isKnown();
    await stop;
    expect(await known.known()).toMatchObject([
      { state: 'exited', exitCode: 3, finishedAt: expect.any(String) },
    ]);
  });

  it('what was stopped, once its end is heard', async () => {
    const id = await running();
    const stop = known.stop(id, 30);
    while (unheard.length === 0) await Promise.resolve();
    hear();
    await stop;
    await isKnown();
  });

  it('what was removed', async () => {
    const id = await make('other');
    watcher.onChange({ id, what: 'other' });
    await known.list();
    watcher.onChange({ id, what: 'other' });
    await known.remove(id);
    hear();
    await known.list();
    await isKnown();
  });

  it('what happened while it was listed, also in the list', async () => {
    const stays = await running();
    const ends = await running('ends');
    const answer = engine.containers();
    const slow = knowEngine({
      ...engine.runtime(OWNER),
      list: async () => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        return answer;
      },
      follow: (given) => {
        watcher = given;
      },
    });
    slow.follow(ignored, new AbortController().signal);
    watcher.onOpen();
    const list = slow.list();
    const made = await slow.create(
      settings(OBEYS, { name: 'made', identity: { pod: podRecord(), name: 'made', attempt: 0 } }),
    );
    await slow.remove(stays);
    const stop = slow.stop(ends, 0);
    watcher.onChange(endOf(ends));
    await stop;
    const states = (await list).map(({ id, state }) => [id, state]);
    expect(states).toEqual([
      [ends, 'exited'],
      [made, 'created'],
    ]);
    expect((await slow.known())?.map(({ id, state }) => [id, state])).toEqual(states);
  });
});

const act = fc.oneof(
  fc.record({
    what: fc.constantFrom(
      'make',
      'start',
      'stop',
      'kill',
      'remove',
      'end',
      'begin',
      'vanish',
      'list',
      'known',
    ),
    which: fc.nat(4),
  }),
  fc.record({ what: fc.constantFrom('hear', 'cut', 'fail'), which: fc.nat(4) }),
);

it('what is known when all was heard is what the engine would say, whatever was done, by whom, and however late it was heard', async () => {
  let count = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 40 }), async (acts) => {
      open();
      hear();
      await known.list();
      let names = 0;
      const under: Promise<unknown>[] = [];
      for (const { what, which } of acts) {
        const id = engine.containers()[which]?.id ?? 'nobody';
        const there = id !== 'nobody';
        const doIt: { readonly [what: string]: () => unknown } = {
          make: () => make(`c${names++}`, 0, which === 0 ? SAYS_AND_FAILS : OBEYS),
          start: () => known.start(id),
          stop: () => known.stop(id, 0),
          kill: () => known.kill(id),
          remove: () => known.remove(id),
          list: () => known.list(),
          known: () => known.known(),
          end: () => there && engine.end(id),
          begin: () => there && engine.begin(id),
          vanish: () => there && engine.vanish(id),
          hear: () => hear(which + 1),
          cut: () => {
            watcher.onLost();
            unheard = [(to) => to.onOpen(), (to) => to.onChange(undefined)];
          },
          fail: () =>
            engine.fail({
              call: (['create', 'start', 'stop', 'remove', 'inspect'] as const)[which] ?? 'list',
              how: which % 2 === 0 ? 'after' : 'before',
              times: 1,
            }),
        };
        const done = (async () => doIt[what]?.())().catch(() => {});
        under.push(done);
        // Half of them are under way together.
        if (which % 2 === 0) await Promise.all(under.splice(0));
      }
      await Promise.all(under);
      engine.heal();
      hear();
      const now = await known.known();
      if (now) {
        count += 1;
        const byId = (a: { readonly id: string }, b: { readonly id: string }) => (a.id < b.id ? -1 : 1);
        const all = shown(now)?.sort(byId);
        expect(all).toEqual(shown(engine.containers())?.sort(byId));
      }
    }),
    {
      numRuns: 300,
      // A failure in the moment between the answer of a list and its taking.
      examples: [
        [
          [
            { what: 'fail', which: 0 },
            { what: 'list', which: 1 },
            { what: 'make', which: 0 },
          ],
        ],
      ],
    },
  );
  expect(count).toBeGreaterThan(50);
});
