// The node loop when the engine, or the disk, fails it: nothing is lost, nothing doubled, and it goes on by itself.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RuntimeError } from '../../src/runtime/container-runtime.ts';
import { template, toldSet } from '../desired.ts';
import type { CallName } from '../fake-runtime.ts';
import { fakeClock, type NodeWorld, openNodeWorld } from '../node-world.ts';
import { TEST_IMAGE } from '../pods.ts';
import { OBEYS } from '../test-programs.ts';

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
const nodeReady = () => {
  const { conditions } = JSON.parse(world.report().facts?.statusJson ?? '{}');
  return conditions.find(({ type }: { type: string }) => type === 'Ready') as {
    status: string;
    reason: string;
    message: string;
  };
};
const calls = (start: string) => world.engine.calls.filter((call) => call.startsWith(start));

describe('an engine that does not answer', () => {
  it('makes the node not ready, with the reason, and loses nothing', async () => {
    await world.tell({ daemonSets: ['web'] });
    await runs('web-1/app#0');
    const [pod] = world.report().pods;
    world.engine.setDown(true);
    await world.until('the node says so', () => nodeReady().status === 'False');
    expect(nodeReady()).toMatchObject({
      reason: 'ContainerRuntimeNotReady',
      message: expect.stringContaining('does not answer'),
    });
    await world.pass(300);
    expect(world.report().pods.map(({ uid }) => uid)).toEqual([pod?.uid]);
    world.engine.setDown(false);
    await world.until('the node is ready', () => nodeReady().status === 'True');
    await world.pass(120);
    expect(world.engine.calls).toEqual(['create web-1/app#0', 'start web-1/app#0']);
  });

  it('that is restarted again and again gets its containers at once, and none has crashed', async () => {
    await world.tell({ daemonSets: ['web'] });
    await runs('web-1/app#0');
    for (const attempt of [0, 1, 2, 3]) {
      world.engine.setDown(true);
      world.engine.end(world.container(`web-1/app#${attempt}`).id);
      await world.until('the node says so', () => nodeReady().status === 'False');
      world.engine.setDown(false);
      await world.until('the node is ready', () => nodeReady().status === 'True');
      await world.pass(3);
      expect(world.running()).toEqual([`web-1/app#${attempt + 1}`]);
    }
    const told = world.now().events.take();
    expect(told.filter(({ reason }) => reason === 'BackOff')).toEqual([]);
    // One that crashes by itself does so for the first time.
    world.engine.end(world.container('web-1/app#4').id);
    await world.pass(3);
    expect(world.running()).toEqual(['web-1/app#5']);
    world.engine.end(world.container('web-1/app#5').id);
    await world.pass(3);
    expect(world.running()).toEqual([]);
  });

  it('that stops its containers before it goes has ended them: they wait for no back-off', async () => {
    await world.tell({ daemonSets: ['web'] });
    await runs('web-1/app#0');
    world.engine.end(world.container('web-1/app#0').id);
    await runs('web-1/app#1');
    world.engine.end(world.container('web-1/app#1').id);
    await runs('web-1/app#2');
    // It waits for 20 s now.
    world.engine.end(world.container('web-1/app#2').id);
    await world.pass(2);
    expect(world.running()).toEqual([]);
    world.engine.setDown(true);
    world.now().agent.wake();
    await world.until('the node says so', () => nodeReady().status === 'False');
    world.engine.setDown(false);
    world.now().agent.wake();
    await world.until('the node is ready', () => nodeReady().status === 'True');
    await world.pass(1);
    expect(world.running()).toEqual(['web-1/app#3']);
  });

  it('what could not be started while it went is started as soon as it is back', async () => {
    world.engine.fail({ call: 'start', how: 'before', times: 1 });
    await world.tell({ daemonSets: ['web'] });
    await world.until('the start has failed', () => calls('start').length === 1);
    world.engine.setDown(true);
    await world.until('the node says so', () => nodeReady().status === 'False');
    world.engine.setDown(false);
    await world.until('the node is ready', () => nodeReady().status === 'True');
    await world.pass(3);
    expect(world.running()).toEqual(['web-1/app#0']);
  });

  it('that comes back without its containers gets them again', async () => {
    await world.tell({ daemonSets: ['web'] });
    await runs('web-1/app#0');
    world.engine.setDown(true);
    world.engine.end(world.container('web-1/app#0').id);
    await world.pass(60);
    world.engine.setDown(false);
    await runs('web-1/app#1');
  });

  it('is told what to do meanwhile, and does the newest of it when it is back', async () => {
    world.engine.setDown(true);
    await world.tell({ daemonSets: [toldSet('web', { revision: 'web-1' })] });
    await world.pass(30);
    await world.tell({ daemonSets: [toldSet('web', { revision: 'web-2' })] });
    await world.pass(30);
    world.engine.setDown(false);
    await runs('web-2/app#0');
    expect(calls('create')).toEqual(['create web-2/app#0']);
  });

  it('when the agent starts is no reason to call its pods gone', async () => {
    await world.tell({ daemonSets: ['web'] });
    await runs('web-1/app#0');
    const [pod] = world.report().pods;
    world.engine.setDown(true);
    await world.restart();
    await world.pass(30);
    expect(nodeReady().status).toBe('False');
    expect(world.report().pods).toMatchObject([{ uid: pod?.uid, name: pod?.name, terminating: false }]);
    world.engine.setDown(false);
    await world.until('the pod is ready', () => world.report().pods[0]?.ready);
    expect(world.engine.calls).toEqual(['create web-1/app#0', 'start web-1/app#0']);
  });

  it('is not asked without end', async () => {
    world.engine.setDown(true);
    await world.tell({ daemonSets: ['web'] });
    const before = world.engine.count('list');
    await world.pass(600);
    expect(world.engine.count('list') - before).toBeLessThan(100);
  });
});

describe('one call that fails', () => {
  it.each<[string, CallName]>([
    ['creating', 'create'],
    ['starting', 'start'],
    ['looking for the image', 'hasImage'],
    ['listing', 'list'],
  ])('%s is tried again, whether it was done or not, and nothing is doubled', async (_name, call) => {
    for (const how of ['before', 'after'] as const) {
      world.engine.fail({ call, how, times: 1 });
      const name = `${call.toLowerCase()}-${how}`;
      await world.tell({ daemonSets: [toldSet(name)] });
      await world.until(`${name} runs`, () =>
        world.running().some((title) => title.startsWith(`${name}-1/app`)),
      );
      await world.pass(60);
      const ours = world.engine.containers().filter(({ identity }) => identity.pod.daemonSetName === name);
      expect(ours.filter(({ state }) => state === 'running')).toHaveLength(1);
      await world.until('no trouble is shown', () => !world.report().pods[0]?.statusJson.includes('Error'));
    }
  });

  it.each<[string, CallName]>([
    ['stopping', 'stop'],
    ['removing', 'remove'],
  ])('%s is tried again until it is done', async (_name, call) => {
    for (const how of ['before', 'after'] as const) {
      await world.tell({ daemonSets: ['web'] });
      await world.until('it runs', () => world.running().length === 1);
      world.engine.fail({ call, how, times: 2 });
      await world.tell({});
      await world.until(
        'it is gone',
        () => world.engine.containers().length === 0 && world.report().pods.length === 0,
      );
    }
  });

  it('a created container whose answer was lost is started, not made again', async () => {
    world.engine.fail({ call: 'create', how: 'after', times: 1 });
    await world.tell({ daemonSets: ['web'] });
    await runs('web-1/app#0');
    expect(calls('create')).toHaveLength(1);
  });

  it('a container that somebody else has the name of is told, and not tried without end', async () => {
    world.engine.fail({
      call: 'create',
      how: 'before',
      error: new RuntimeError('conflict', 'The container name "/x" is already in use by container "f00"'),
    });
    await world.tell({ daemonSets: ['web'] });
    await world.until('it was tried', () => calls('create').length > 0);
    await world.pass(120);
    expect(calls('create').length).toBeLessThan(60);
    expect(world.report().pods[0]?.statusJson).toMatch(/CreateContainerError.*already in use/);
    world.engine.heal();
    await world.until('it runs', () => world.running().length === 1);
  });

  it('a start that never answers holds up nobody else, and not the end of the agent', async () => {
    world.engine.fail({ call: 'start', how: 'hang', about: 'stuck', times: 1 });
    await world.tell({ daemonSets: ['stuck', 'web'] });
    await runs('web-1/app#0');
    await world.tell({ daemonSets: ['stuck', 'web', 'more'] });
    await runs('web-1/app#0', 'more-1/app#0');
    await world.restart();
    await runs('web-1/app#0', 'more-1/app#0', 'stuck-1/app#0');
    expect(calls('create').sort()).toEqual([
      'create more-1/app#0',
      'create stuck-1/app#0',
      'create web-1/app#0',
    ]);
  });

  it('an image that never arrives holds up nobody else, and a new revision does not wait for it', async () => {
    const pulling = template({ containers: [{ name: 'app', image: 'registry/slow:1' }] });
    world.engine.fail({ call: 'pull', how: 'hang', times: 1 });
    await world.tell({ daemonSets: [toldSet('web', { template: pulling }), 'other'] });
    await runs('other-1/app#0');
    await world.tell({ daemonSets: [toldSet('web', { revision: 'web-2' }), 'other'] });
    await runs('other-1/app#0', 'web-2/app#0');
  });
});

describe('events that never come', () => {
  it('are made up for by looking every minute', async () => {
    await world.restart({ wrapRuntime: (runtime) => ({ ...runtime, follow: () => {} }) });
    await world.tell({ daemonSets: ['web'] });
    await runs('web-1/app#0');
    await world.pass(100);
    world.engine.end(world.container('web-1/app#0').id);
    await world.pass(61);
    expect(world.running()).toEqual(['web-1/app#1']);
  });
});

describe('a disk that takes nothing', () => {
  it('lets no pod be born that would be forgotten, and makes one when it does again', async () => {
    let full = true;
    await world.restart({
      wrapPods: (pods) => ({
        ...pods,
        add: (record) =>
          full ? Promise.reject(new Error('ENOSPC: no space left on device')) : pods.add(record),
      }),
    });
    await world.tell({ daemonSets: ['web'] });
    await world.pass(60);
    expect(world.engine.calls).toEqual([]);
    expect(world.report().pods).toEqual([]);
    full = false;
    await runs('web-1/app#0');
    expect(world.report().pods).toHaveLength(1);
  });

  it('does not keep a pod from being stopped', async () => {
    await world.restart({
      wrapPods: (pods) => ({
        ...pods,
        forget: () => Promise.reject(new Error('ENOSPC: no space left on device')),
      }),
    });
    await world.tell({ daemonSets: ['web'] });
    await runs('web-1/app#0');
    await world.tell({});
    await world.until('it is gone', () => world.engine.containers().length === 0);
  });
});

describe('a machine without the holder image', () => {
  it('says so at the pod, and tries again', async () => {
    world.engine.fail({
      call: 'holderImage',
      how: 'before',
      error: new RuntimeError('invalid', 'no holder for architecture riscv64'),
      times: 2,
    });
    const own = template({
      hostNetwork: false,
      containers: [{ name: 'app', image: TEST_IMAGE, command: [...OBEYS.command] }],
    });
    await world.tell({ daemonSets: [toldSet('web', { template: own })] });
    const told = () =>
      world
        .now()
        .events.take()
        .some(({ message }) => message.includes('riscv64'));
    await world.until('an event says so', told);
    await runs('web-1/POD#0', 'web-1/app#0');
  });
});
