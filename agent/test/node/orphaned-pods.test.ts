// Pods whose DaemonSet was deleted without them (rules 22 and 63): the node keeps them alive and has no successor for
// them, until somebody deletes them or another DaemonSet takes them over.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type DesiredParts, template, toldSet } from '../desired.ts';
import { fakeClock, type NodeWorld, openNodeWorld } from '../node-world.ts';
import { TEST_IMAGE } from '../pods.ts';
import { OBEYS, type Program, SAYS_AND_FAILS, SUCCEEDS_SILENTLY } from '../test-programs.ts';

let world: NodeWorld;
beforeEach(async () => {
  fakeClock();
  world = await openNodeWorld();
});
afterEach(() => {
  vi.useRealTimers();
});

const ORPHANED: DesiredParts = { orphans: ['uid-of-web'] };
const running = (title: string) => world.until(`${title} runs`, () => String(world.running()) === title);
const lostBook = () => rm(join(world.directory, 'pods.json'));
const owners = () =>
  world.report().pods.map(({ daemonSetUid, daemonSetName }) => [daemonSetUid, daemonSetName]);

/** A pod of a DaemonSet that is gone now; answers the pod's uid. */
async function orphaned(): Promise<string> {
  await world.tell({ daemonSets: ['web'] });
  await running('web-1/app#0');
  await world.pass(5);
  await world.tell(ORPHANED);
  await world.pass(5);
  return world.report().pods[0]?.uid ?? '';
}

/** From here on nothing is done to the engine. */
function untouched() {
  const { calls } = world.engine;
  const before = calls.length;
  return async () => {
    await world.pass(120);
    expect(calls.slice(before)).toEqual([]);
  };
}

describe('rule 63: a pod that was left behind', () => {
  it('runs on as it is', async () => {
    await world.tell({ daemonSets: ['web'] });
    await running('web-1/app#0');
    const still = untouched();
    await world.tell(ORPHANED);
    await still();
    expect(world.report().pods).toMatchObject([
      { ready: true, terminating: false, daemonSetUid: 'uid-of-web' },
    ]);
  });

  it('is started again when it crashes, also by an agent that starts anew and hears no plane', async () => {
    await orphaned();
    world.engine.end(world.container('web-1/app#0').id);
    await running('web-1/app#1');
    await world.restart();
    world.engine.end(world.container('web-1/app#1').id);
    await running('web-1/app#2');
  });

  it('is known by its containers when the book is lost', async () => {
    const uid = await orphaned();
    const still = untouched();
    await world.restart({ meanwhile: lostBook });
    await still();
    expect(world.report().pods.map((pod) => pod.uid)).toEqual([uid]);
  });

  it('that somebody deletes is gone for good', async () => {
    const podUid = await orphaned();
    await world.tell({ ...ORPHANED, tombstones: [{ podUid }] });
    await world.until('nothing runs', () => world.running().length === 0);
    await world.until('it is forgotten', () => world.report().pods.length === 0);
    await world.tell(ORPHANED);
    await world.pass(120);
    expect([world.running(), world.report().pods]).toEqual([[], []]);
  });

  it('stays when labels of the node change, and goes with a NoExecute taint, for good', async () => {
    await world.tell({
      daemonSets: [toldSet('web', { template: template({ nodeSelector: { disk: 'ssd' } }) })],
      labels: { disk: 'ssd' },
    });
    await running('web-1/app#0');
    const still = untouched();
    await world.tell({ ...ORPHANED, taints: [{ key: 'a', value: '', effect: 'NoSchedule' }] });
    await still();
    await world.tell({ ...ORPHANED, taints: [{ key: 'a', value: '', effect: 'NoExecute' }] });
    await world.until('it is gone', () => world.running().length === 0);
    await world.tell(ORPHANED);
    await world.pass(60);
    expect(world.running()).toEqual([]);
  });

  it('goes when the plane names it no more', async () => {
    await orphaned();
    await world.tell({});
    await world.until('it is gone', () => world.report().pods.length === 0);
  });

  it('of an update that was under way is the one that runs; what was only prepared is no pod yet', async () => {
    await world.tell({ daemonSets: ['web'] });
    await running('web-1/app#0');
    world.engine.setLatency('create', 5000);
    await world.tell({
      daemonSets: [toldSet('web', { revision: 'web-2', template: template({ hostIPC: true }) })],
    });
    await world.pass(1);
    await world.tell(ORPHANED);
    await world.pass(60);
    expect(world.running()).toEqual(['web-1/app#0']);
    expect(world.report().pods.map(({ revision }) => revision)).toEqual(['web-1']);
  });

  it('of a surge that was under way is the one that serves', async () => {
    const probed = (revision: string, { command }: Program) => {
      const app = { name: 'app', image: TEST_IMAGE, command: [...OBEYS.command] };
      const readinessProbe = { exec: { command: [...command] }, periodSeconds: 2 };
      const whole = template({ containers: [{ ...app, readinessProbe }] });
      return toldSet('web', { revision, template: whole, surge: true });
    };
    await world.tell({ daemonSets: [probed('web-1', SUCCEEDS_SILENTLY)] });
    await world.until('it is ready', () => world.report().pods[0]?.ready);
    await world.tell({ daemonSets: [probed('web-2', SAYS_AND_FAILS)] });
    await world.until('both run', () => world.running().length === 2);
    await world.tell(ORPHANED);
    await world.until('one is left', () => String(world.running()) === 'web-1/app#0');
    await world.pass(60);
    expect(world.report().pods).toMatchObject([{ revision: 'web-1', ready: true, terminating: false }]);
  });
});

describe('rule 22: a DaemonSet that takes pods over', () => {
  const heir = (more: Parameters<typeof toldSet>[1] = {}): DesiredParts => ({
    daemonSets: [toldSet('heir', { revision: 'web-1', adopts: ['uid-of-web'], ...more })],
  });

  it('of the same template restarts nothing, and owns them from then on', async () => {
    const uid = await orphaned();
    const still = untouched();
    await world.tell(heir());
    await still();
    expect(world.report().pods).toMatchObject([
      { uid, ready: true, daemonSetUid: 'uid-of-heir', daemonSetName: 'heir', revision: 'web-1' },
    ]);
    // What it restarts carries the new owner.
    world.engine.end(world.container('web-1/app#0').id);
    await running('web-1/app#1');
    expect(world.container('web-1/app#1').identity.pod.daemonSetUid).toBe('uid-of-heir');
  });

  it.each<[string, (() => Promise<void>) | undefined]>([
    ['started anew', undefined],
    ['whose book is lost, and whose containers still name the old owner', lostBook],
  ])('still owns them for an agent that is %s', async (_, meanwhile) => {
    await orphaned();
    await world.tell(heir());
    await world.pass(5);
    const still = untouched();
    await world.restart(meanwhile ? { meanwhile } : {});
    await still();
    expect(owners()).toEqual([['uid-of-heir', 'heir']]);
  });

  it('owns them though the agent dies before its book says so', async () => {
    world = await openNodeWorld({ wrapPods: (pods) => ({ ...pods, setOwner: () => new Promise(() => {}) }) });
    await orphaned();
    await world.tell(heir());
    await world.pass(5);
    await world.restart({ killed: true, wrapPods: (pods) => pods });
    const still = untouched();
    await still();
    expect(owners()).toEqual([['uid-of-heir', 'heir']]);
  });

  it('and may run nothing yet leaves them as they are', async () => {
    await orphaned();
    const still = untouched();
    await world.tell(heir({ granted: false }));
    await still();
    expect(owners()).toEqual([['uid-of-heir', 'heir']]);
  });

  it('of another template replaces them when it is granted that, as it would its own', async () => {
    await orphaned();
    await world.tell(heir({ revision: 'heir-2', template: template({ hostIPC: true }) }));
    await running('heir-2/app#0');
    await world.until('only it is left', () => world.report().pods.length === 1);
  });

  it('and is deleted takes them along', async () => {
    await orphaned();
    await world.tell(heir());
    await world.pass(5);
    await world.tell({});
    await world.until('it is gone', () => world.report().pods.length === 0);
  });
});

describe('a pod that was taken over, left behind and taken over again', () => {
  const heir: DesiredParts = {
    daemonSets: [toldSet('heir', { revision: 'web-1', adopts: ['uid-of-web'] })],
  };
  /** As the plane tells it: all through whose hands it went, as containers name who made them. */
  const leftAgain: DesiredParts = { orphans: ['uid-of-heir', 'uid-of-web'] };
  const third: DesiredParts = {
    daemonSets: [toldSet('third', { revision: 'web-1', adopts: ['uid-of-heir', 'uid-of-web'] })],
  };
  const THIRD = [['uid-of-third', 'third']];
  async function takenTwice(): Promise<void> {
    await orphaned();
    for (const parts of [heir, leftAgain, third]) {
      await world.tell(parts);
      await world.pass(5);
    }
    expect(owners()).toEqual(THIRD);
    expect(world.container('web-1/app#0').identity.pod.daemonSetUid).toBe('uid-of-web');
  }

  it('was never touched', async () => {
    await orphaned();
    const still = untouched();
    for (const parts of [heir, leftAgain, third]) {
      await world.tell(parts);
      await still();
    }
  });

  // No plane is heard: what was told last is all that is known.
  it.each<[string, (() => Promise<void>) | undefined]>([
    ['starts anew', undefined],
    ['starts anew without its book', lostBook],
  ])('runs on where the agent %s', async (_, meanwhile) => {
    await takenTwice();
    const still = untouched();
    await world.restart(meanwhile ? { meanwhile } : {});
    await still();
    expect(owners()).toEqual(THIRD);
  });

  it('runs on as nobody’s where the book is lost between the two', async () => {
    await orphaned();
    for (const parts of [heir, leftAgain]) {
      await world.tell(parts);
      await world.pass(5);
    }
    const still = untouched();
    await world.restart({ meanwhile: lostBook });
    await still();
    expect(owners()).toEqual([['uid-of-web', 'web']]);
    await world.tell(third);
    await still();
    expect(owners()).toEqual(THIRD);
  });

  it('comes back after a reboot without the book, by its last owner', async () => {
    await takenTwice();
    await world.restart({
      bootId: 'another',
      meanwhile: async () => {
        await lostBook();
        world.engine.end(world.container('web-1/app#0').id);
      },
    });
    await running('web-1/app#1');
    expect(world.container('web-1/app#1').identity.pod.daemonSetUid).toBe('uid-of-third');
    expect(owners()).toEqual(THIRD);
    // Containers of one pod may name two owners now.
    const still = untouched();
    await world.restart({ meanwhile: lostBook });
    await still();
    expect(owners()).toEqual(THIRD);
  });

  it('goes with its last owner, also where the book is lost', async () => {
    await takenTwice();
    await world.restart({ meanwhile: lostBook });
    await world.tell({});
    await world.until('it is gone', () => world.report().pods.length === 0);
  });
});
