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
const isTrue = () => expect(shown(known.known())).toEqual(shown(engine.containers()));

describe('nothing is known', () => {
  it('before there was a list, and before the engine tells what happens', async () => {
    await known.list();
    expect(known.known()).toBeUndefined();
    hear();
    expect(known.known()).toBeUndefined();
    await known.list();
    expect(known.known()).toEqual([]);
  });

  it.each<[string, (id: string) => unknown]>([
    ['a start', async () => known.start(await make('other'))],
    ['a failed start', (id) => known.start(`${id}0`).catch(() => {})],
    ['a kill', (id) => known.kill(id)],
    ['a stop whose end is not heard yet', (id) => known.stop(id, 0)],
    ['a stop that fails', (id) => known.stop(`${id}0`, 0).catch(() => {})],
    [
      'a making that was done and answered with an error',
      () => {
        engine.fail({ call: 'create', how: 'after' });
        return make('other').catch(() => {});
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
    ['what may have been missed', () => watcher.onChange(undefined)],
    ['the end of what is told', () => watcher.onLost()],
    ['an end before the last start', (id) => watcher.onChange(endOf(id, '2001-01-01T00:00:00Z'))],
  ])('after %s, until it is listed', async (what, happens) => {
    const id = await running();
    isTrue();
    await happens(id);
    expect(known.known()).toBeUndefined();
    if (what === 'the end of what is told') {
      await known.list();
      expect(known.known()).toBeUndefined();
      watcher.onOpen();
    }
    hear();
    await known.list();
    isTrue();
  });

  it('after the end of a holder, whose ports are not free yet', async () => {
    const id = await running(HOLDER);
    engine.end(id);
    hear();
    expect(known.known()).toBeUndefined();
  });

  it('when something happened while it was listed that only a list can tell', async () => {
    const id = await running();
    const list = known.list();
    watcher.onChange({ id, what: 'other' });
    await list;
    expect(known.known()).toBeUndefined();
  });
});

const endOf = (id: string, at = new Date().toISOString()): EngineChange => ({
  id,
  what: 'ended',
  exitCode: 0,
  at,
});

describe('it is known', () => {
  it('what was made', async () => {
    await running();
    await make('other');
    isTrue();
  });

  it('what ended, and with which code', async () => {
    const id = await running();
    engine.end(id, 3);
    hear();
    isTrue();
    expect(known.known()).toMatchObject([{ state: 'exited', exitCode: 3, finishedAt: expect.any(String) }]);
  });

  it('what was stopped, once its end is heard', async () => {
    const id = await running();
    const stop = known.stop(id, 30);
    while (unheard.length === 0) await Promise.resolve();
    hear();
    await stop;
    isTrue();
  });

  it('what was removed, by this agent or behind its back', async () => {
    const id = await running();
    const other = await running('other');
    engine.end(other);
    await known.remove(id);
    hear();
    isTrue();
    engine.vanish(other);
    hear();
    isTrue();
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
    watcher.onChange(endOf(ends));
    const states = (await list).map(({ id, state }) => [id, state]);
    expect(states).toEqual([
      [ends, 'exited'],
      [made, 'created'],
    ]);
    expect(slow.known()?.map(({ id, state }) => [id, state])).toEqual(states);
  });
});

const act = fc.oneof(
  fc.record({
    what: fc.constantFrom('make', 'start', 'stop', 'kill', 'remove', 'end', 'begin', 'vanish', 'list'),
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
              call: (['create', 'start', 'stop', 'remove', 'list'] as const)[which] ?? 'list',
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
      hear();
      if (known.known()) {
        count += 1;
        const byId = (a: { readonly id: string }, b: { readonly id: string }) => (a.id < b.id ? -1 : 1);
        const all = shown(known.known())?.sort(byId);
        expect(all).toEqual(shown(engine.containers())?.sort(byId));
      }
    }),
    { numRuns: 300 },
  );
  expect(count).toBeGreaterThan(50);
});
