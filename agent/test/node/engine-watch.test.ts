// What is known of the engine counts only while it answers.
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { createEngineWatch } from '../../src/node/engine-watch.ts';
import { type EngineWatcher, RuntimeError } from '../../src/runtime/container-runtime.ts';

function openWatch() {
  const engine = { down: false, silent: false, now: 7 };
  let watcher: EngineWatcher | undefined;
  const watch = createEngineWatch({
    runtime: {
      list: async () => {
        if (engine.down) throw new RuntimeError('unreachable', 'it is down');
        return [];
      },
      known: async () => {
        if (engine.silent) throw new RuntimeError('timeout', 'no answer');
        return [];
      },
      follow: (given) => {
        watcher = given;
      },
    },
    logger: pino({ level: 'silent' }),
    monotonicNow: () => engine.now,
    onTrouble: () => {},
  });
  watch.follow(() => {}, new AbortController().signal);
  return { watch, engine, lose: () => watcher?.onLost(), open: () => watcher?.onOpen() };
}

it('nothing is known before it answered, and after it did not', async () => {
  const { watch, engine } = openWatch();
  expect(await watch.known()).toBeUndefined();
  await watch.look();
  expect(await watch.known()).toEqual([]);
  engine.down = true;
  await expect(watch.look()).rejects.toThrow('it is down');
  expect(await watch.known()).toBeUndefined();
});

it('one that went away is asked before anything is known, and then says that it was away', async () => {
  const { watch, lose } = openWatch();
  await watch.look();
  lose();
  expect(await watch.known()).toBeUndefined();
  expect(await watch.look()).toMatchObject({ goneAt: 7 });
  expect(await watch.known()).toEqual([]);
});

it('one that answered while it was not heard may have gone once more: it says so when it is heard again', async () => {
  const { watch, engine, lose, open } = openWatch();
  open();
  expect(await watch.look()).toMatchObject({ goneAt: undefined });
  lose();
  expect(await watch.look()).toMatchObject({ goneAt: 7 });
  engine.now = 9;
  expect(await watch.look()).toMatchObject({ goneAt: undefined });
  open();
  expect(await watch.known()).toBeUndefined();
  expect(await watch.look()).toMatchObject({ goneAt: 7 });
  open();
  expect(await watch.look()).toMatchObject({ goneAt: undefined });
});

it('one that does not answer about a container is asked about all', async () => {
  const { watch, engine } = openWatch();
  await watch.look();
  engine.silent = true;
  expect(await watch.known()).toBeUndefined();
});
