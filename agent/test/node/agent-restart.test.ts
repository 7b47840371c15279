// An agent that starts anew over what another left restarts nothing, doubles nothing, and believes no lost or
// damaged file.
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { template, toldSet } from '../desired.ts';
import { fakeClock, type NodeWorld, openNodeWorld } from '../node-world.ts';
import { TEST_IMAGE } from '../pods.ts';
import { EXITS_WITH_3, OBEYS, SUCCEEDS_SILENTLY } from '../test-programs.ts';

let world: NodeWorld;
beforeEach(async () => {
  fakeClock();
  world = await openNodeWorld();
});
afterEach(() => {
  vi.useRealTimers();
});

const runs = (...titles: readonly string[]) =>
  world.until(
    `these run: ${titles.join(', ')}`,
    () => String(world.running()) === String([...titles].sort()),
  );
const twoInOneNetwork = template({
  hostNetwork: false,
  containers: ['one', 'two'].map((name) => ({ name, image: TEST_IMAGE, command: [...OBEYS.command] })),
});
const DAEMON_SETS = ['web', toldSet('pair', { template: twoInOneNetwork })];
const ALL = ['web-1/app#0', 'pair-1/POD#0', 'pair-1/one#0', 'pair-1/two#0'];

/** Everything runs, and from here on nothing may be done to it. */
const settled = async () => {
  await world.tell({ daemonSets: DAEMON_SETS });
  await runs(...ALL);
  await world.pass(5);
  const { calls } = world.engine;
  const [before, containers, pods] = [
    calls.length,
    JSON.stringify(world.engine.containers()),
    world.report().pods.map(({ uid }) => uid),
  ];
  return {
    untouched: async () => {
      await world.pass(120);
      expect(calls.slice(before)).toEqual([]);
      expect(JSON.stringify(world.engine.containers())).toBe(containers);
      expect(world.report().pods.map(({ uid }) => uid)).toEqual(pods);
    },
  };
};

describe('an agent that starts anew', () => {
  it('touches nothing, once or often', async () => {
    const { untouched } = await settled();
    for (let times = 0; times < 3; times++) {
      await world.restart();
      await untouched();
    }
  });

  it('knows the pods by their containers when its book is lost', async () => {
    const { untouched } = await settled();
    await world.restart({ meanwhile: () => rm(join(world.directory, 'pods.json')) });
    await untouched();
  });

  it('keeps counting attempts where the other stopped', async () => {
    const crashing = template({
      containers: [{ name: 'app', image: TEST_IMAGE, command: [...EXITS_WITH_3.command] }],
    });
    await world.tell({ daemonSets: [toldSet('web', { template: crashing })] });
    await world.pass(100);
    const attempts = () => world.engine.containers().map(({ identity }) => identity.attempt);
    const before = Math.max(...attempts());
    await world.restart();
    await world.until('it is tried again', () => Math.max(...attempts()) === before + 1);
    const status = JSON.parse(world.report().pods[0]?.statusJson ?? '{}');
    expect(status.containerStatuses[0].restartCount).toBe(before + 1);
  });

  it('reports at once, when it is settled, what was ready and since when, and what was available', async () => {
    const probed = template({
      containers: [
        {
          name: 'app',
          image: TEST_IMAGE,
          command: [...OBEYS.command],
          readinessProbe: {
            exec: { command: [...SUCCEEDS_SILENTLY.command] },
            successThreshold: 3,
            periodSeconds: 10,
          },
        },
      ],
    });
    await world.tell({ daemonSets: [toldSet('web', { template: probed, minReadySeconds: 60 })] });
    await world.until('it is available', () => world.report().pods[0]?.available);
    const before = world.report().pods[0];
    await world.pass(10);
    await world.restart();
    await world.until('it is settled', () => world.now().agent.settled());
    expect(world.report().pods[0]).toEqual(before);
  });

  it('is not settled before its first look', async () => {
    await settled();
    world.engine.setLatency('list', 2000);
    await world.restart();
    expect(world.now().agent.settled()).toBe(false);
    await world.until('it is settled', () => world.now().agent.settled());
    expect(world.report().pods.map(({ ready }) => ready)).toEqual([true, true]);
  });

  it('that cannot look at all is settled: there is something to say', async () => {
    world.engine.setDown(true);
    await world.restart();
    await world.until('it is settled', () => world.now().agent.settled());
  });

  it('leaves everything running when it stops', async () => {
    await settled();
    const { calls } = world.engine;
    const before = calls.length;
    const stopping = world.now().agent.stop();
    await world.pass(2);
    await stopping;
    world.engine.end(world.container('web-1/app#0').id);
    await world.pass(200);
    expect(calls.slice(before)).toEqual([]);
    expect(world.running()).toEqual(['pair-1/POD#0', 'pair-1/one#0', 'pair-1/two#0'].sort());
  });
});

describe('what the node was told is lost', () => {
  it('and everything runs on, is reported, and is not touched', async () => {
    const { untouched } = await settled();
    await world.restart({ told: undefined });
    await untouched();
    expect(world.report().pods.map(({ ready, terminating }) => [ready, terminating])).toEqual([
      [true, false],
      [true, false],
    ]);
    expect(world.report().placements).toEqual([]);
  });

  it('and found again: still nothing is touched', async () => {
    const { untouched } = await settled();
    await world.restart({ told: undefined });
    await world.pass(10);
    await world.tell({ daemonSets: DAEMON_SETS });
    await untouched();
  });

  it('together with the book and the bodies: all the same', async () => {
    const { untouched } = await settled();
    await world.now().agent.stop();
    for (const name of await readdir(world.directory))
      await rm(join(world.directory, name), { recursive: true });
    await world.restart({ told: undefined });
    await untouched();
    await world.tell({ daemonSets: DAEMON_SETS });
    await untouched();
  });
});

describe('a body is damaged', () => {
  const damage = (hash: string) =>
    world.restart({ meanwhile: () => writeFile(join(world.directory, 'bodies', hash), 'rubbish') });

  it.each(['placementHash', 'templateHash'] as const)(
    '(%s): the pods of its set are left alone, the other sets are served, and all goes on when it is mended',
    async (which) => {
      await settled();
      const pair = DAEMON_SETS[1];
      if (typeof pair !== 'object') throw new Error('no set');
      const hash = pair.told[which];
      const before = world.engine.calls.length;
      await damage(hash);
      await world.pass(120);
      expect(world.engine.calls.slice(before)).toEqual([]);
      world.engine.end(world.container('web-1/app#0').id);
      await world.until('the other set is served', () => world.running().includes('web-1/app#1'));
      world.engine.end(world.container('pair-1/one#0').id);
      await world.pass(60);
      expect(world.engine.calls.slice(before)).toEqual(['create web-1/app#1', 'start web-1/app#1']);
      expect(world.report().pods).toHaveLength(2);
      const mended = pair.bodies.find((body) => body.hash === hash);
      await world.now().bodies.put([{ hash, content: mended?.content ?? Buffer.alloc(0) }]);
      world.now().agent.wake();
      await runs('pair-1/POD#0', 'pair-1/one#1', 'pair-1/two#0', 'web-1/app#1');
    },
  );

  it('of a set that is to be removed: it is removed all the same', async () => {
    await settled();
    const pair = DAEMON_SETS[1];
    await damage(typeof pair === 'object' ? pair.told.templateHash : '');
    await world.tell({ daemonSets: ['web'] });
    await runs('web-1/app#0');
    await world.until('nothing is left', () => world.engine.containers().length === 1);
  });
});
