// A held node, on the fake engine: what runs is not replaced, before and after the grant, over restarts of the agent;
// all else goes on; and when the hold is over the node follows.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ContainerRuntime } from '../../src/runtime/container-runtime.ts';
import { template, toldSet } from '../desired.ts';
import { fakeClock, type NodeWorld, openNodeWorld } from '../node-world.ts';
import { TEST_IMAGE } from '../pods.ts';
import { OBEYS } from '../test-programs.ts';

const MINUTE = 60_000;

let world: NodeWorld;
beforeEach(async () => {
  fakeClock();
  world = await openNodeWorld();
});
afterEach(() => {
  vi.useRealTimers();
});

const web = (revision: string, over: Parameters<typeof template>[0] = {}) =>
  toldSet('web', { revision, template: template({ priorityClassName: revision, ...over }) });
const tell = (revision: string) => world.tell({ daemonSets: [web(revision)] });
const runs = (...titles: readonly string[]) =>
  world.until(
    `these run: ${titles.join(', ')}`,
    () => String(world.running()) === String([...titles].sort()),
  );
const stops = () => world.engine.calls.filter((call) => call.startsWith('stop'));
const progress = () => world.report().placements[0]?.progress ?? '';

/** From its death on an agent's calls of the engine never end. */
function mortal() {
  let dead = false;
  const wrap = <T extends object>(whole: T): T =>
    new Proxy(whole, {
      get: (target, name) => {
        const own = target[name as keyof T];
        return typeof own === 'function' && dead ? () => new Promise(() => {}) : own;
      },
    });
  return {
    wrapRuntime: (runtime: ContainerRuntime) => wrap(runtime),
    die: () => {
      dead = true;
    },
  };
}

describe('a node that is held', () => {
  it('keeps its pod when another revision is granted, says so, and follows when it is released', async () => {
    await tell('web-1');
    await runs('web-1/app#0');
    await world.hold('ann', 60 * MINUTE);
    await tell('web-2');
    await world.pass(600);
    expect(world.running()).toEqual(['web-1/app#0']);
    expect(stops()).toEqual([]);
    expect(progress()).toMatch(/: run, held by ann until .*: it is looked at/);
    const { generation, facts } = world.report();
    expect(generation).toEqual(world.told()?.generation);
    expect(facts?.holds).toMatchObject([{ owner: 'ann', reason: 'it is looked at' }]);
    await world.release('ann');
    await runs('web-2/app#0');
    expect(world.report().facts?.holds).toEqual([]);
  });

  it('goes on with nothing that was granted before and had not begun', async () => {
    await tell('web-1');
    await runs('web-1/app#0');
    world.engine.setLatency('create', 20_000);
    await tell('web-2');
    await world.until('its successor is being made', () => world.engine.count('create') === 2);
    await world.hold('ann', 60 * MINUTE);
    await world.pass(600);
    expect(world.running()).toEqual(['web-1/app#0']);
    // Its grant is taken back: nothing is left of what was prepared.
    await tell('web-1');
    await world.until('it is cleared away', () => world.engine.containers().length === 1);
    expect(stops()).toEqual([]);
    expect(world.report().pods).toMatchObject([{ revision: 'web-1', available: true }]);
  });

  it('finishes what it had begun: the old pod was being stopped', async () => {
    await tell('web-1');
    await runs('web-1/app#0');
    world.engine.setLatency('stop', 10_000);
    await tell('web-2');
    await world.until('the old pod is being stopped', () => world.engine.count('stop') === 1);
    await world.hold('ann', 60 * MINUTE);
    await runs('web-2/app#0');
    expect(world.report().facts?.holds).toHaveLength(1);
  });

  it('stays held when its agent is killed, and when the machine starts anew', async () => {
    const life = mortal();
    await world.restart(life);
    await tell('web-1');
    await runs('web-1/app#0');
    await world.hold('ann', 60 * MINUTE);
    life.die();
    await world.restart({ ...mortal(), killed: true });
    await tell('web-2');
    await world.pass(120);
    expect(world.running()).toEqual(['web-1/app#0']);
    await world.restart({ bootId: 'boot-2', upMs: -performance.now() });
    await world.pass(120);
    expect(world.running()).toEqual(['web-1/app#0']);
    expect(stops()).toEqual([]);
    await world.release('ann');
    await runs('web-2/app#0');
  });

  it('is free when the hold is over, with nobody there to release it', async () => {
    await tell('web-1');
    await runs('web-1/app#0');
    await world.hold('ann', 5 * MINUTE);
    await world.hold('bob', 10 * MINUTE);
    await tell('web-2');
    await world.pass(9 * 60);
    expect(world.running()).toEqual(['web-1/app#0']);
    expect(world.report().facts?.holds).toMatchObject([{ owner: 'bob' }]);
    await runs('web-2/app#0');
  });

  it('restarts what crashes, runs what it has not had, and lets go what is deleted or belongs elsewhere', async () => {
    await world.hold('ann', 600 * MINUTE);
    await tell('web-1');
    await runs('web-1/app#0');
    world.engine.end(world.container('web-1/app#0').id, 1);
    await runs('web-1/app#1');
    const other = toldSet('other', {
      revision: 'other-1',
      template: template({ containers: [{ name: 'app', image: TEST_IMAGE, command: [...OBEYS.command] }] }),
    });
    await world.tell({ daemonSets: [web('web-1'), other] });
    await runs('web-1/app#1', 'other-1/app#0');
    await world.tell({ daemonSets: [web('web-2')] });
    await runs('web-1/app#1');
    const uid = world.report().pods[0]?.uid ?? '';
    await world.tell({ daemonSets: [web('web-2')], tombstones: [{ podUid: uid }] });
    await runs('web-2/app#0');
  });
});
