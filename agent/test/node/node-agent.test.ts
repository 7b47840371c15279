// The node loop on the fake engine: what it does, in which order, and what it never does.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { EngineWatcher } from '../../src/runtime/container-runtime.ts';
import { template, toldSet } from '../desired.ts';
import { fakeClock, type NodeWorld, openNodeWorld } from '../node-world.ts';
import { settings, TEST_IMAGE } from '../pods.ts';
import { EXITS_WITH_3, IGNORES_TERM, OBEYS, SAYS_AND_FAILS, SUCCEEDS_SILENTLY } from '../test-programs.ts';

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
const container = (name: string, over: object = {}) => ({
  name,
  image: TEST_IMAGE,
  command: [...OBEYS.command],
  ...over,
});
const runs = (...titles: readonly string[]) =>
  world.until(
    `these run: ${titles.join(', ')}`,
    () => String(world.running()) === String([...titles].sort()),
  );
/** Nothing more is done, however long one waits. */
const atRest = async () => {
  const before = [...world.engine.calls];
  await world.pass(120);
  expect(world.engine.calls.slice(before.length)).toEqual([]);
};
const podOf = (name: string) => {
  const pod = world.report().pods.find((one) => one.daemonSetName === name);
  if (!pod) throw new Error(`no pod of ${name} in the report`);
  return pod;
};

describe('placing', () => {
  it('makes the pod of a granted set, once', async () => {
    await world.tell({ daemonSets: [web('web-1')] });
    await runs('web-1/app#0');
    expect(world.engine.calls).toEqual(['create web-1/app#0', 'start web-1/app#0']);
    expect(world.report().pods).toHaveLength(1);
    await atRest();
  });

  it('makes nothing of a set that nothing is granted of, and says that it belongs here', async () => {
    await world.tell({ daemonSets: [toldSet('web', { granted: false })] });
    await world.until('it is decided', () => world.report().placements.length === 1);
    await atRest();
    expect(world.report().placements[0]).toMatchObject({ decision: 'Run' });
    expect(world.report().pods).toEqual([]);
  });

  it('makes a pod with a network of its own around its holder', async () => {
    const spec = { hostNetwork: false, containers: [container('one'), container('two')] };
    await world.tell({ daemonSets: [web('web-1', spec)] });
    await runs('web-1/POD#0', 'web-1/one#0', 'web-1/two#0');
    const calls = world.engine.calls;
    expect(calls[0]).toBe('create web-1/POD#0');
    expect(calls.indexOf('start web-1/POD#0')).toBeLessThan(calls.indexOf('start web-1/one#0'));
    expect(world.container('web-1/one#0').settings.network).toEqual({
      holderId: world.container('web-1/POD#0').id,
    });
    await atRest();
  });

  it('starts pods of several sets beside each other', async () => {
    world.engine.setLatency('start', 1000);
    await world.tell({ daemonSets: ['a', 'b', 'c'] });
    await world.until('all three are being started', () => world.engine.count('start') === 3);
    expect(world.running()).toEqual([]);
    await runs('a-1/app#0', 'b-1/app#0', 'c-1/app#0');
  });
});

describe('looking', () => {
  it.each<[string, number, () => void]>([
    ['for the first container of a pod is not needed while it is known what is there', 0, () => {}],
    ['comes before it when something may have been missed', 1, () => world.engine.cutEvents()],
  ])('%s', async (_what, times, whileBorn) => {
    const looks: number[] = [];
    world = await openNodeWorld({
      wrapPods: (pods) => ({
        ...pods,
        add: (...pod) => {
          whileBorn();
          return pods.add(...pod);
        },
      }),
      wrapRuntime: (runtime) => ({
        ...runtime,
        create: (wanted) => {
          looks.push(world.engine.count('list'));
          return runtime.create(wanted);
        },
      }),
    });
    await world.pass(5);
    const before = world.engine.count('list');
    await world.tell({ daemonSets: [web('web-1')] });
    await runs('web-1/app#0');
    expect(looks).toEqual([before + times]);
  });

  it('rests after a long look, however often it is woken meanwhile', async () => {
    world.engine.setLatency('list', 40);
    await world.tell({ daemonSets: [web('web-1')] });
    await runs('web-1/app#0');
    const before = world.engine.count('list');
    for (let ms = 0; ms < 1200; ms += 5) {
      world.engine.cutEvents();
      await vi.advanceTimersByTimeAsync(5);
    }
    // Of 40 ms each, and 200 of rest.
    const looks = world.engine.count('list') - before;
    expect([looks > 3, looks < 8]).toEqual([true, true]);
  });

  it('what it was told since is looked at before a container that was being made is started', async () => {
    let mayBeMade = () => {};
    const making = new Promise<void>((resolve) => {
      mayBeMade = resolve;
    });
    let isMaking = false;
    let look: (() => void) | undefined;
    world = await openNodeWorld({
      wrapRuntime: (runtime) => ({
        ...runtime,
        create: async (wanted) => {
          isMaking = true;
          await making;
          return runtime.create(wanted);
        },
        list: async () => {
          const seen = await runtime.list();
          if (isMaking && !look) await new Promise<void>((resolve) => (look = resolve));
          return seen;
        },
      }),
    });
    await world.tell({ daemonSets: [web('web-1')] });
    await world.until('it is being made', () => isMaking);
    await world.tell({ daemonSets: [] });
    await world.until('it looks again', () => look !== undefined);
    mayBeMade();
    await world.until('it is made', () => world.engine.count('create') === 1);
    look?.();
    await world.until('it is gone', () => world.engine.containers().length === 0);
    expect(world.engine.calls).toEqual(['create web-1/app#0', 'remove web-1/app#0']);
  });
});

describe('it is busy', () => {
  it('for a moment from when something was begun that is under way, and then no more', async () => {
    const busy = () => world.now().agent.busy();
    world.engine.setLatency('start', 1000);
    expect(busy()).toBe(0);
    await world.tell({ daemonSets: [web('web-1')] });
    await world.until('it is being started', () => world.engine.count('start') === 1);
    expect(busy()).toBe(1);
    await vi.advanceTimersByTimeAsync(200);
    expect(busy()).toBe(0);
    await runs('web-1/app#0');
    world.engine.setLatency('stop', 50);
    await world.tell({ daemonSets: [] });
    await world.until('it is being stopped', () => world.engine.count('stop') === 1);
    expect(busy()).toBe(1);
    await world.until('it is gone', () => world.engine.containers().length === 0);
    await vi.advanceTimersByTimeAsync(20);
    expect(busy()).toBe(0);
  });
});

describe('updating', () => {
  it('creates the new container before it stops the old one, and starts it right after', async () => {
    await world.tell({ daemonSets: [web('web-1')] });
    await runs('web-1/app#0');
    world.engine.calls.length = 0;
    await world.tell({ daemonSets: [web('web-2')] });
    await runs('web-2/app#0');
    await world.until('the old pod is gone', () => world.engine.containers().length === 1);
    const { calls } = world.engine;
    expect(calls.filter((call) => call !== 'remove web-1/app#0')).toEqual([
      'create web-2/app#0',
      'stop web-1/app#0 grace 30',
      'start web-2/app#0',
    ]);
    expect(calls.indexOf('remove web-1/app#0')).toBeGreaterThan(calls.indexOf('stop web-1/app#0 grace 30'));
    expect(world.report().pods.map(({ revision }) => revision)).toEqual(['web-2']);
    await atRest();
  });

  it('knows what was made and started while it looked, and starts nothing beside it', async () => {
    let oldMayBeMade = () => {};
    const mayBeMade = new Promise<void>((resolve) => {
      oldMayBeMade = resolve;
    });
    let making = false;
    let holdsLooks = false;
    let watcher: EngineWatcher | undefined;
    const held: (() => void)[] = [];
    world = await openNodeWorld({
      wrapRuntime: (runtime) => ({
        ...runtime,
        follow: (given, signal) => {
          watcher = given;
          runtime.follow(given, signal);
        },
        create: async (wanted) => {
          const { pod, attempt } = wanted.identity;
          if (pod.revision === 'web-1' && attempt === 1) {
            making = true;
            await mayBeMade;
          }
          const id = await runtime.create(wanted);
          if (pod.revision === 'web-2') {
            holdsLooks = true;
            watcher?.onChange(undefined);
          }
          return id;
        },
        list: async () => {
          const seen = await runtime.list();
          if (holdsLooks) await new Promise<void>((resolve) => held.push(resolve));
          return seen;
        },
      }),
    });
    await world.tell({ daemonSets: [web('web-1')] });
    await runs('web-1/app#0');
    world.engine.end(world.container('web-1/app#0').id, 1);
    await world.until('it is made anew', () => making);
    await world.tell({ daemonSets: [web('web-2')] });
    await world.until('the next one is made, and looked at', () => held.length > 0);
    oldMayBeMade();
    await runs('web-1/app#1');
    holdsLooks = false;
    for (const go of held) go();
    await runs('web-2/app#0');
    const { calls } = world.engine;
    const ended = calls.indexOf('stop web-1/app#1 grace 30');
    expect(ended).toBeGreaterThan(0);
    expect(calls.indexOf('start web-2/app#0')).toBeGreaterThan(ended);
  });

  it('never runs the old and the new pod together, however long the old one takes to end', async () => {
    const stubborn = { containers: [container('app', { command: [...IGNORES_TERM.command] })] };
    await world.tell({ daemonSets: [web('web-1', stubborn)] });
    await runs('web-1/app#0');
    await world.tell({ daemonSets: [web('web-2', stubborn)] });
    await world.until('the old one is asked to end', () => world.engine.count('stop') === 1);
    await world.pass(25);
    expect(world.running()).toEqual(['web-1/app#0']);
    await runs('web-2/app#0');
  });

  it('never stops the old pod for one whose image is not there, and tries the image ever more rarely', async () => {
    await world.tell({ daemonSets: [web('web-1')] });
    await runs('web-1/app#0');
    const broken = {
      containers: [container('app', { image: 'registry/broken:1', imagePullPolicy: 'Always' })],
    };
    await world.tell({ daemonSets: [web('web-2', broken)] });
    const pulls = () => world.engine.calls.filter((call) => call.startsWith('pull')).length;
    await world.until('the image was tried', () => pulls() === 1);
    const tried: number[] = [];
    for (let second = 0; second < 700; second++) {
      const before = pulls();
      await world.pass(1);
      if (pulls() > before) tried.push(second);
    }
    expect(world.running()).toEqual(['web-1/app#0']);
    expect(world.engine.calls.some((call) => call.startsWith('stop'))).toBe(false);
    const gaps = tried.map((second, index) => second - (tried[index - 1] ?? 0));
    expect(gaps.map((gap) => Math.round(gap / 10) * 10)).toEqual([10, 20, 40, 80, 160, 300]);
    const pods = world.report().pods;
    expect(pods.map(({ revision, ready }) => [revision, ready])).toContainEqual(['web-1', true]);
    const waiting = pods.find(({ revision }) => revision === 'web-2');
    expect(waiting?.statusJson).toMatch(/ImagePullBackOff.*registry\/broken:1/);
    // The next revision replaces the broken one as if it had never been.
    await world.tell({ daemonSets: [web('web-3')] });
    await runs('web-3/app#0');
    await world.until('nothing is left of the others', () => world.engine.containers().length === 1);
    expect(world.report().pods).toHaveLength(1);
  });

  it('takes the image when the registry answers at last', async () => {
    const late = { containers: [container('app', { image: 'registry/late:1' })] };
    await world.tell({ daemonSets: [web('web-1', late)] });
    await world.until('it was tried', () => podOf('web').statusJson.includes('ErrImagePull'));
    world.engine.addImage('registry/late:1', { pullable: true });
    await runs('web-1/app#0');
    expect(podOf('web').statusJson).not.toContain('ErrImagePull');
  });

  it('back to a revision before the new one was ready leaves the old pod alone', async () => {
    await world.tell({ daemonSets: [web('web-1')] });
    await runs('web-1/app#0');
    world.engine.setLatency('create', 5000);
    await world.tell({ daemonSets: [web('web-2')] });
    await world.until('the new one is being created', () =>
      world.engine.calls.includes('create web-2/app#0'),
    );
    await world.tell({ daemonSets: [web('web-1')] });
    await world.pass(30);
    await world.until('the new one is gone', () => world.engine.containers().length === 1);
    expect(world.running()).toEqual(['web-1/app#0']);
    expect(world.engine.calls.some((call) => call.startsWith('stop web-1'))).toBe(false);
  });
});

describe('leaving', () => {
  const noExecute = [{ key: 'down', value: '', effect: 'NoExecute' }];
  const noSchedule = [{ key: 'down', value: '', effect: 'NoSchedule' }];

  it('stops and removes a pod whose set is gone, and forgets it', async () => {
    await world.tell({ daemonSets: ['web', 'other'] });
    await runs('web-1/app#0', 'other-1/app#0');
    await world.tell({ daemonSets: ['other'] });
    await runs('other-1/app#0');
    await world.until('it is forgotten', () => world.report().pods.length === 1);
    expect(world.engine.containers()).toHaveLength(1);
    await atRest();
  });

  it('goes and comes with a NoExecute taint', async () => {
    await world.tell({ daemonSets: ['web'] });
    await runs('web-1/app#0');
    const first = podOf('web').uid;
    await world.tell({ daemonSets: ['web'], taints: noExecute });
    await runs();
    await world.until('it is forgotten', () => world.report().pods.length === 0);
    expect(world.report().placements[0]).toMatchObject({
      decision: 'Leave',
      reasons: [{ code: 'TaintNoExecute', message: expect.stringContaining('down') }],
    });
    await world.tell({ daemonSets: ['web'] });
    await runs('web-1/app#0');
    expect(podOf('web').uid).not.toBe(first);
  });

  it('stays with a NoSchedule taint, but is not made', async () => {
    await world.tell({ daemonSets: ['web'] });
    await runs('web-1/app#0');
    await world.tell({ daemonSets: ['web', 'late'], taints: noSchedule });
    await world.until('both are decided', () => world.report().placements.length === 2);
    await atRest();
    expect(world.running()).toEqual(['web-1/app#0']);
    expect(world.report().placements.map(({ decision }) => decision)).toEqual(['Keep', 'Keep']);
  });

  it('goes and comes with a label of the operator, and no operator overrides the node’s own', async () => {
    await world.restart({ labels: { zone: 'own' } });
    const selecting = toldSet('web', { rules: { nodeSelector: { zone: 'own', disk: 'fast' } } });
    await world.tell({ daemonSets: [selecting], labels: { zone: 'theirs' } });
    await world.until('it is decided', () => world.report().placements[0]?.decision === 'Leave');
    expect(world.engine.calls).toEqual([]);
    await world.tell({ daemonSets: [selecting], labels: { zone: 'theirs', disk: 'fast' } });
    await runs('web-1/app#0');
    await world.tell({ daemonSets: [selecting], labels: { zone: 'theirs' } });
    await runs();
  });

  it.each<[string, number | undefined, string]>([
    ['the grace that was asked for', 5, 'grace 5'],
    ['no grace at all', 0, 'grace 0'],
    ['its own grace when none was asked for', undefined, 'grace 30'],
  ])('a deleted pod ends with %s, and another is made after it', async (_name, graceSeconds, wanted) => {
    await world.tell({ daemonSets: ['web'] });
    await runs('web-1/app#0');
    const { uid } = podOf('web');
    world.engine.calls.length = 0;
    const tombstones = [{ podUid: uid, graceSeconds }];
    await world.tell({ daemonSets: ['web'], tombstones });
    await world.until('another pod has taken its place', () => {
      const pods = world.report().pods;
      return pods.length === 1 && pods[0]?.uid !== uid && world.running().length === 1;
    });
    const { calls } = world.engine;
    expect(calls).toContain(`stop web-1/app#0 ${wanted}`);
    expect(calls.indexOf('start web-1/app#0')).toBeGreaterThan(calls.indexOf(`stop web-1/app#0 ${wanted}`));
    // The tombstone is repeated until the plane has seen the report: it means the pod that is gone.
    await world.tell({ daemonSets: ['web'], tombstones });
    await atRest();
  });

  it('stops many at once, so that the slowest alone counts', async () => {
    const spec = { hostIPC: true, containers: [container('a', IGNORES_TERM), container('b', IGNORES_TERM)] };
    const sets = ['x', 'y'].map((name) => toldSet(name, { template: template(spec) }));
    await world.tell({ daemonSets: sets });
    await runs('x-1/a#0', 'x-1/b#0', 'y-1/a#0', 'y-1/b#0');
    const before = performance.now();
    await world.tell({});
    await world.until('all four are asked to end', () => world.engine.count('stop') === 4);
    expect(world.running()).toHaveLength(4);
    await runs();
    expect(performance.now() - before).toBeLessThan(32_000);
  });

  it('shows a pod as terminating, with its grace, until it is gone', async () => {
    const spec = { terminationGracePeriodSeconds: 20, containers: [container('app', IGNORES_TERM)] };
    await world.tell({ daemonSets: [web('web-1', spec)] });
    await runs('web-1/app#0');
    await world.tell({});
    await world.until('it is terminating', () => podOf('web').terminating);
    expect(podOf('web').graceSeconds).toBe(20);
    await world.until('it is gone', () => world.report().pods.length === 0);
  });
});

describe('restarting', () => {
  it('at once, then after 10, 20, 40 ... 300 seconds from the end, keeping one attempt before (rule 96)', async () => {
    const crashing = { containers: [container('app', { command: [...EXITS_WITH_3.command] })] };
    await world.tell({ daemonSets: [web('web-1', crashing)] });
    const starts: number[] = [];
    let seen = 0;
    await world.until('it was restarted once', () => world.engine.count('start') === 2);
    seen = 2;
    const origin = performance.now();
    while (starts.length < 7) {
      await world.pass(1);
      if (world.engine.count('start') > seen) starts.push(Math.round((performance.now() - origin) / 1000));
      seen = world.engine.count('start');
    }
    const gaps = starts.map((at, index) => at - (starts[index - 1] ?? 0));
    expect(gaps.map((gap) => Math.round(gap / 10) * 10)).toEqual([10, 20, 40, 80, 160, 300, 300]);
    await world.pass(5);
    expect(
      world.engine
        .containers()
        .map(({ identity }) => identity.attempt)
        .sort(),
    ).toEqual([7, 8]);
    const status = JSON.parse(podOf('web').statusJson);
    expect(status.containerStatuses[0]).toMatchObject({
      restartCount: 8,
      ready: false,
      state: { waiting: { reason: 'CrashLoopBackOff' } },
      lastState: { terminated: { exitCode: 3 } },
    });
    expect(status.phase).toBe('Running');
    const backOffs = world.now().events.take();
    const { uid } = podOf('web');
    const told = backOffs.filter(({ reason }) => reason === 'BackOff');
    // The first restart waits for nothing.
    expect(told).toHaveLength(8);
    expect(told[0]).toMatchObject({
      type: 'Warning',
      message: `Back-off restarting failed container app in pod ${podOf('web').name}_default(${uid})`,
      fieldPath: 'spec.containers{app}',
    });
  });

  it('counts a program that is not there as one that ends, and says why', async () => {
    const over = { command: ['/no/such/program'] };
    await world.tell({ daemonSets: [web('web-1', { containers: [container('app', over)] })] });
    const status = () => JSON.parse(podOf('web').statusJson).containerStatuses[0];
    const message = expect.stringMatching(/no such file/);
    await world.until('it waits', () => status().state.waiting?.reason === 'CrashLoopBackOff');
    expect(status()).toMatchObject({
      restartCount: 1,
      state: { waiting: { message: expect.stringMatching(/^back-off 10s restarting failed container=app/) } },
      lastState: {
        terminated: {
          exitCode: 128,
          reason: 'StartError',
          message,
          startedAt: '1970-01-01T00:00:00Z',
          finishedAt: expect.any(String),
        },
      },
    });
    await world.until('its turn comes', () => status().state.waiting?.reason === 'RunContainerError');
    expect(status().state.waiting.message).toEqual(message);
    await world.until('it is tried again', () => status().restartCount === 2);
    expect(world.engine.count('start')).toBe(3);
    const told = world
      .now()
      .events.take()
      .filter(({ reason }) => reason === 'Failed' || reason === 'BackOff');
    expect(told.map(({ reason }) => reason)).toEqual(['Failed', 'Failed', 'BackOff', 'Failed', 'BackOff']);
    expect(JSON.parse(podOf('web').statusJson).phase).toBe('Running');
  });

  it('says nothing of a back-off when it stops what was restarted before', async () => {
    await world.tell({ daemonSets: ['web'] });
    await runs('web-1/app#0');
    world.engine.end(world.container('web-1/app#0').id);
    await runs('web-1/app#1');
    await world.tell({});
    await world.until('it is gone', () => world.report().pods.length === 0);
    const reasons = world
      .now()
      .events.take()
      .map(({ reason }) => reason);
    expect(reasons).toContain('Killing');
    expect(reasons).not.toContain('BackOff');
  });

  it('brings back at once what was killed, or deleted, behind its back', async () => {
    await world.tell({ daemonSets: ['web'] });
    await runs('web-1/app#0');
    world.engine.end(world.container('web-1/app#0').id);
    await runs('web-1/app#1');
    world.engine.vanish(world.container('web-1/app#1').id);
    await runs('web-1/app#1');
    expect(world.report().pods).toHaveLength(1);
  });

  it('brings back what was deleted whole', async () => {
    const spec = { hostNetwork: false, containers: [container('one'), container('two')] };
    await world.tell({ daemonSets: [web('web-1', spec)] });
    await runs('web-1/POD#0', 'web-1/one#0', 'web-1/two#0');
    const { uid } = podOf('web');
    for (const { id } of world.engine.containers()) world.engine.vanish(id);
    await world.until('three run again', () => world.running().length === 3);
    expect(podOf('web').uid).toBe(uid);
  });

  it('starts every container anew, in the new network, when the holder ended', async () => {
    const spec = { hostNetwork: false, containers: [container('one'), container('two')] };
    await world.tell({ daemonSets: [web('web-1', spec)] });
    await runs('web-1/POD#0', 'web-1/one#0', 'web-1/two#0');
    world.engine.end(world.container('web-1/POD#0').id);
    await runs('web-1/POD#1', 'web-1/one#1', 'web-1/two#1');
    expect(world.container('web-1/two#1').settings.network).toEqual({
      holderId: world.container('web-1/POD#1').id,
    });
  });

  it.each([
    ['before they ran', false],
    ['while they ran', true],
  ])('starts every container anew, in a new network, when the holder vanished %s', async (_name, ran) => {
    const spec = { hostNetwork: false, containers: [container('one'), container('two')] };
    if (!ran) world.engine.setLatency('hasImage', 1000);
    await world.tell({ daemonSets: [web('web-1', spec)] });
    if (ran) await runs('web-1/POD#0', 'web-1/one#0', 'web-1/two#0');
    else
      await world.until('a member is there', () => world.engine.calls.some((call) => call.includes('one')));
    world.engine.vanish(world.container('web-1/POD#0').id);
    await world.until('both are in the network that is there now', () => {
      const containers = world.engine.containers().filter(({ state }) => state === 'running');
      const holder = containers.find(({ identity }) => identity.name === '');
      const members = containers.filter(
        ({ settings: { network } }) => typeof network === 'object' && network.holderId === holder?.id,
      );
      return containers.length === 3 && members.length === 2;
    });
    expect(world.engine.calls.length).toBeLessThan(40);
  });

  it('stops with its grace, and starts anew, what its liveness probe gave up', async () => {
    const livenessProbe = {
      exec: { command: [...SAYS_AND_FAILS.command] },
      periodSeconds: 5,
      failureThreshold: 2,
    };
    await world.tell({ daemonSets: [web('web-1', { containers: [container('app', { livenessProbe })] })] });
    await runs('web-1/app#0');
    await runs('web-1/app#1');
    expect(world.engine.calls).toContain('stop web-1/app#0 grace 30');
    const events = world
      .now()
      .events.take()
      .map(({ reason, message }) => `${reason}: ${message}`);
    expect(events).toContain('Unhealthy: Liveness probe failed: out\nerr');
    expect(events).toContain(
      'Killing: Stopping container app: Container app failed liveness probe, will be restarted',
    );
  });

  it('reports ready when the readiness probe passes, and not before', async () => {
    const probe = (command: readonly string[]) => ({
      containers: [
        container('app', { readinessProbe: { exec: { command: [...command] }, periodSeconds: 1 } }),
      ],
    });
    await world.tell({ daemonSets: [web('web-1', probe(SAYS_AND_FAILS.command))] });
    await runs('web-1/app#0');
    await world.pass(10);
    expect(podOf('web')).toMatchObject({ ready: false, available: false });
    await world.tell({ daemonSets: [web('web-2', probe(SUCCEEDS_SILENTLY.command))] });
    await runs('web-2/app#0');
    await world.until('it is ready', () => podOf('web').ready);
    expect(podOf('web')).toMatchObject({ ready: true, available: true, revision: 'web-2' });
  });

  it('calls a pod available when it has been ready for minReadySeconds (rule 26)', async () => {
    await world.tell({ daemonSets: [toldSet('web', { minReadySeconds: 30 })] });
    await runs('web-1/app#0');
    await world.until('it is ready', () => podOf('web').ready);
    await world.pass(25);
    expect(podOf('web').available).toBe(false);
    await world.pass(6);
    expect(podOf('web').available).toBe(true);
  });
});

describe('what a container may not be', () => {
  it.each<[string, object, string, RegExp]>([
    [
      'root, when it must not',
      { securityContext: { runAsNonRoot: true } },
      'CreateContainerConfigError',
      /will run as root/,
    ],
    [
      'root by number',
      { securityContext: { runAsNonRoot: true, runAsUser: 0 } },
      'CreateContainerConfigError',
      /^container's runAsUser breaks non-root policy \(pod: "web-\w{5}_default\([-0-9a-f]{36}\)", container: app\)$/,
    ],
    [
      'a user by name, when it must not be root',
      { image: 'named', securityContext: { runAsNonRoot: true } },
      'CreateContainerConfigError',
      /non-numeric user \(nobody\)/,
    ],
    [
      'pulled, when it must not',
      { image: 'absent', imagePullPolicy: 'Never' },
      'ErrImageNeverPull',
      /absent.*not present/,
    ],
  ])('%s', async (_name, over, reason, message) => {
    world.engine.addImage('named', { user: 'nobody' });
    await world.tell({ daemonSets: [web('web-1', { containers: [container('app', over)] })] });
    await world.until('it is told', () => podOf('web').statusJson.includes(reason));
    const [status] = JSON.parse(podOf('web').statusJson).containerStatuses;
    expect(status.state.waiting).toEqual({ reason, message: expect.stringMatching(message) });
    expect(world.running()).toEqual([]);
  });

  it('mounted with what is not there', async () => {
    const spec = {
      volumes: [{ name: 'v', hostPath: { path: `${world.directory}/none`, type: 'Directory' } }],
      containers: [container('app', { volumeMounts: [{ name: 'v', mountPath: '/v' }] })],
    };
    await world.tell({ daemonSets: [web('web-1', spec)] });
    await world.until('it is told', () => podOf('web').statusJson.includes('MountVolume'));
    const [status] = JSON.parse(podOf('web').statusJson).containerStatuses;
    expect(status.state.waiting).toEqual({
      reason: 'ContainerCreating',
      message: expect.stringMatching(/^MountVolume.SetUp failed for volume "v" : hostPath type check failed/),
    });
  });

  it('may be a group with the user of its image', async () => {
    world.engine.addImage('named', { user: '1000:1000' });
    const over = { image: 'named', securityContext: { runAsGroup: 2000 } };
    await world.tell({ daemonSets: [web('web-1', { containers: [container('app', over)] })] });
    await runs('web-1/app#0');
    expect(world.container('web-1/app#0').settings.user).toBe('1000:2000');
  });
});

describe('containers of others', () => {
  it('on the same engine are neither touched nor reported', async () => {
    const other = world.engine.runtime('another-cluster/node-1');
    const id = await other.create(settings());
    await other.start(id);
    await world.tell({ daemonSets: ['web'] });
    await runs('web-1/app#0');
    await world.tell({});
    await runs();
    await world.until('ours is gone', () => world.engine.containers().length === 1);
    expect(await other.list()).toMatchObject([{ id, state: 'running' }]);
    expect(world.report().pods).toEqual([]);
  });
});
