// The node loop with init containers, sidecars and lifecycle hooks on the fake engine: their order, what is shown of
// them, and what becomes of them when the agent, the machine or a hook fails (rules 100 to 104).
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PodStatus } from '@fleetset/scheduler-core/schema/pod';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { waitingContainer } from '../../src/node/waiting-container.ts';
import { template, toldSet } from '../desired.ts';
import { fakeClock, type NodeWorld, openNodeWorld } from '../node-world.ts';
import { TEST_IMAGE } from '../pods.ts';
import {
  COMPLETES,
  EXITS_WITH_3,
  IGNORES_TERM,
  OBEYS,
  type Program,
  SAYS_AND_FAILS,
  SUCCEEDS_SILENTLY,
  WRITES_AND_STAYS,
} from '../test-programs.ts';

let world: NodeWorld;
beforeEach(async () => {
  fakeClock();
  world = await openNodeWorld();
});
afterEach(() => {
  vi.useRealTimers();
});

const container = (name: string, program: Program = OBEYS, over: object = {}) => ({
  name,
  image: TEST_IMAGE,
  command: [...program.command],
  ...over,
});
const SIDECAR = { restartPolicy: 'Always' };
const web = (revision: string, over: Parameters<typeof template>[0] = {}) =>
  toldSet('web', { revision, template: template({ priorityClassName: revision, ...over }) });
const runs = (...titles: readonly string[]) =>
  world.until(
    `these run: ${titles.join(', ')}`,
    () => String(world.running()) === String([...titles].sort()),
  );
const status = (): PodStatus => JSON.parse(world.report().pods[0]?.statusJson ?? '{}');
const begun = () => world.engine.calls.filter((call) => call.startsWith('start'));
const condition = (type: string) => status().conditions?.find((one) => one.type === type);
const exec = ({ command }: Program) => ({ exec: { command: [...command] } });

describe('init containers', () => {
  const spec = { initContainers: [container('one', COMPLETES), container('two', COMPLETES)] };

  it('run one after the other, then the main container; what ended well stays and is shown', async () => {
    await world.tell({ daemonSets: [web('web-1', spec)] });
    await runs('web-1/POD#0', 'web-1/app#0');
    expect(begun()).toEqual([
      'start web-1/POD#0',
      'start web-1/one#0',
      'start web-1/two#0',
      'start web-1/app#0',
    ]);
    expect(status()).toMatchObject({
      phase: 'Running',
      initContainerStatuses: [
        {
          name: 'one',
          ready: true,
          started: false,
          state: { terminated: { exitCode: 0, reason: 'Completed' } },
        },
        { name: 'two', ready: true },
      ],
    });
    expect(condition('Initialized')).toMatchObject({ status: 'True' });
    const before = [...world.engine.calls];
    await world.pass(120);
    await world.restart();
    await world.pass(120);
    expect(world.engine.calls).toEqual(before);
  });

  it('that fail are tried again, ever more rarely, and hold the pod up', async () => {
    await world.tell({ daemonSets: [web('web-1', { initContainers: [container('one', EXITS_WITH_3)] })] });
    await world.until('it was tried three times', () => begun().length === 4);
    expect(begun().slice(1)).toEqual(['start web-1/one#0', 'start web-1/one#1', 'start web-1/one#2']);
    expect(status()).toMatchObject({
      phase: 'Pending',
      initContainerStatuses: [
        { name: 'one', ready: false, restartCount: 2, state: { waiting: { reason: 'CrashLoopBackOff' } } },
      ],
      containerStatuses: [{ state: { waiting: { reason: 'PodInitializing' } } }],
    });
    const waiting = waitingContainer({ ...world.now(), monotonicNow: () => performance.now() });
    const { uid = '', name } = world.report().pods[0] ?? {};
    expect(waiting(uid, 'app')).toEqual({ podName: name, reason: 'PodInitializing' });
    expect(condition('Initialized')).toMatchObject({
      status: 'False',
      reason: 'ContainersNotInitialized',
      message: 'containers with incomplete status: [one]',
    });
    const events = world.now().events.take();
    expect(events.find(({ reason }) => reason === 'Started')?.fieldPath).toBe('spec.initContainers{one}');
  });

  it('that fail and then end well are not told to wait for a restart', async () => {
    await world.tell({ daemonSets: [web('web-1', { initContainers: [container('one')] })] });
    for (const attempt of [0, 1]) {
      await world.until('it runs', () => world.running().includes(`web-1/one#${attempt}`));
      world.engine.end(world.container(`web-1/one#${attempt}`).id, 3);
    }
    await world.until('it runs again', () => world.running().includes('web-1/one#2'));
    world.engine.end(world.container('web-1/one#2').id, 0);
    await world.until('the pod runs', () => world.running().includes('web-1/app#0'));
    const backOffs = world.now().events.take();
    expect(backOffs.filter(({ reason }) => reason === 'BackOff')).toHaveLength(1);
  });

  it('while they run the pod is Pending, and its status is known', async () => {
    await world.tell({ daemonSets: [web('web-1', { initContainers: [container('one')] })] });
    await runs('web-1/POD#0', 'web-1/one#0');
    expect(status()).toMatchObject({
      phase: 'Pending',
      initContainerStatuses: [{ ready: false, started: true, state: { running: {} } }],
    });
    expect(world.report().pods[0]?.unknown).toBe(false);
    await world.restart();
    await world.pass(60);
    expect(begun()).toHaveLength(2);
  });

  it('all run again when the machine was rebooted', async () => {
    await world.tell({ daemonSets: [web('web-1', spec)] });
    await runs('web-1/POD#0', 'web-1/app#0');
    await world.restart({
      bootId: 'boot-2',
      meanwhile: async () => {
        for (const { id } of world.engine.containers()) world.engine.end(id);
      },
    });
    await world.until('the first runs again', () => begun().includes('start web-1/one#1'));
    await runs('web-1/POD#1', 'web-1/app#1');
    expect(begun().slice(4)).toEqual([
      'start web-1/POD#1',
      'start web-1/one#1',
      'start web-1/two#1',
      'start web-1/app#1',
    ]);
  });

  it('do not run again when only the main container is restarted', async () => {
    await world.tell({ daemonSets: [web('web-1', spec)] });
    await runs('web-1/POD#0', 'web-1/app#0');
    world.engine.end(world.container('web-1/app#0').id);
    await runs('web-1/POD#0', 'web-1/app#1');
    expect(begun().filter((call) => call.includes('one'))).toHaveLength(1);
  });

  it('of an update run only when the old pod has stopped, and its images are there by then', async () => {
    world.engine.addImage('main:2', { pullable: true });
    await world.tell({ daemonSets: [web('web-1')] });
    await runs('web-1/app#0');
    world.engine.calls.length = 0;
    const next = {
      ...spec,
      containers: [container('app', OBEYS, { image: 'main:2', imagePullPolicy: 'Always' })],
    };
    await world.tell({ daemonSets: [web('web-2', next)] });
    await runs('web-2/POD#0', 'web-2/app#0');
    const { calls } = world.engine;
    const stop = calls.indexOf('stop web-1/app#0 grace 30');
    expect(calls.filter((call) => call === 'pull main:2')).toHaveLength(1);
    expect(calls.indexOf('pull main:2')).toBeLessThan(stop);
    expect(calls.indexOf('create web-2/one#0')).toBeLessThan(stop);
    expect(calls.indexOf('start web-2/one#0')).toBeGreaterThan(stop);
  });

  it('of an update whose main image is not there take nothing down', async () => {
    await world.tell({ daemonSets: [web('web-1')] });
    await runs('web-1/app#0');
    const broken = { ...spec, containers: [container('app', OBEYS, { image: 'registry/broken:1' })] };
    await world.tell({ daemonSets: [web('web-2', broken)] });
    await world.pass(120);
    expect(world.running()).toEqual(['web-1/app#0']);
    expect(world.report().pods.some(({ statusJson }) => /ImagePullBackOff/.test(statusJson))).toBe(true);
  });
});

describe('sidecars', () => {
  const spec = {
    initContainers: [
      container('car', OBEYS, { ...SIDECAR, startupProbe: { ...exec(SUCCEEDS_SILENTLY), periodSeconds: 5 } }),
      container('prep', COMPLETES),
      container('van', IGNORES_TERM, SIDECAR),
    ],
  };
  const ALL = ['web-1/POD#0', 'web-1/car#0', 'web-1/van#0', 'web-1/app#0'];

  it('start before what comes after them, and count for readiness', async () => {
    await world.tell({ daemonSets: [web('web-1', spec)] });
    await runs(...ALL);
    await world.until('it is ready', () => world.report().pods[0]?.ready);
    expect(begun()).toEqual(['POD', 'car', 'prep', 'van', 'app'].map((name) => `start web-1/${name}#0`));
    const of = (name: string) => status().initContainerStatuses?.find((one) => one.name === name);
    expect(of('car')).toMatchObject({ ready: true, started: true, state: { running: {} } });
    expect(of('prep')).toMatchObject({ ready: true, started: false });
  });

  it('hold up the others until their startup probe has passed', async () => {
    const failing = container('car', OBEYS, {
      ...SIDECAR,
      startupProbe: { ...exec(SAYS_AND_FAILS), failureThreshold: 99 },
    });
    await world.tell({ daemonSets: [web('web-1', { initContainers: [failing] })] });
    await runs('web-1/POD#0', 'web-1/car#0');
    await world.pass(60);
    expect(world.running()).toEqual(['web-1/POD#0', 'web-1/car#0']);
    expect(status()).toMatchObject({ phase: 'Pending' });
  });

  it('are restarted on their own, and the pod stays initialized', async () => {
    await world.tell({ daemonSets: [web('web-1', spec)] });
    await runs(...ALL);
    world.engine.end(world.container('web-1/van#0').id);
    await runs('web-1/POD#0', 'web-1/car#0', 'web-1/van#1', 'web-1/app#0');
    world.engine.end(world.container('web-1/van#1').id);
    await world.until('it waits to be restarted', () => world.report().pods[0]?.ready === false);
    expect(condition('Initialized')?.status).toBe('True');
    expect(status().phase).toBe('Running');
    await runs('web-1/POD#0', 'web-1/car#0', 'web-1/van#2', 'web-1/app#0');
  });

  it('stop after the main containers, the last of them first, all within the grace of the pod', async () => {
    await world.tell({ daemonSets: [web('web-1', { ...spec, terminationGracePeriodSeconds: 20 })] });
    await runs(...ALL);
    const before = performance.now();
    await world.tell({});
    await runs();
    const stops = world.engine.calls.filter((call) => call.startsWith('stop'));
    expect(stops).toEqual([
      'stop web-1/app#0 grace 20',
      'stop web-1/van#0 grace 20',
      // The other one took the whole grace: two seconds are left for the signal.
      'stop web-1/car#0 grace 2',
      'stop web-1/POD#0 grace 0',
    ]);
    expect(performance.now() - before).toBeLessThan(24_000);
  });
});

describe('rule 103: a postStart hook', () => {
  const hooked = (hook: object, over: object = {}) => ({
    containers: [container('app', OBEYS, { lifecycle: { postStart: hook }, ...over })],
  });

  it('holds the container back until it has ended: neither shown as running nor probed', async () => {
    await world.tell({
      daemonSets: [
        web('web-1', hooked({ sleep: { seconds: 20 } }, { readinessProbe: exec(SUCCEEDS_SILENTLY) })),
      ],
    });
    await runs('web-1/app#0');
    await world.pass(10);
    expect(status()).toMatchObject({
      phase: 'Pending',
      containerStatuses: [{ ready: false, state: { waiting: { reason: 'ContainerCreating' } } }],
    });
    expect(world.engine.count('exec')).toBe(0);
    await world.until('it is ready', () => world.report().pods[0]?.ready);
  });

  it('that fails kills its container, which is restarted like one that crashes', async () => {
    await world.tell({ daemonSets: [web('web-1', hooked(exec(SAYS_AND_FAILS)))] });
    await world.until('it was tried twice', () => begun().length === 2);
    await world.until('it is told', () => status().containerStatuses?.[0]?.state?.waiting);
    expect(world.engine.calls).toContain('stop web-1/app#0 grace 30');
    await world.until('it waits', () => JSON.stringify(status()).includes('CrashLoopBackOff'));
    const reasons = world
      .now()
      .events.take()
      .map(({ reason, message }) => `${reason}: ${message}`);
    expect(reasons).toContain('FailedPostStartHook: PostStartHook failed');
    expect(reasons.some((reason) => reason.startsWith('Failed:'))).toBe(false);
    expect(world.now().agent.memoryOf(world.report().pods[0]?.uid ?? '', 'app')?.trouble?.message).toMatch(
      /^Exec lifecycle hook \(\[sh -c .*\]\) for Container "app" in Pod "web-\w{5}_default\(.*\)" failed - error: command '.*' exited with 4: /,
    );
  });

  it('that hangs does not hold up the end of its pod', async () => {
    await world.tell({ daemonSets: [web('web-1', hooked(exec(IGNORES_TERM)))] });
    await runs('web-1/app#0');
    await world.pass(60);
    await world.tell({});
    await world.until('nothing is left', () => world.engine.containers().length === 0);
  });

  it('is not run again by an agent that starts anew', async () => {
    await world.tell({ daemonSets: [web('web-1', hooked(exec(SUCCEEDS_SILENTLY)))] });
    await world.until('it is ready', () => world.report().pods[0]?.ready);
    const before = world.engine.count('exec');
    await world.restart();
    await world.pass(60);
    expect(world.engine.count('exec')).toBe(before);
  });
});

describe('rule 104: a preStop hook', () => {
  const hooked = (hook: object) => ({
    terminationGracePeriodSeconds: 20,
    containers: [container('app', OBEYS, { lifecycle: { preStop: hook } })],
  });
  const stops = () => world.engine.calls.filter((call) => call.startsWith('stop'));

  it.each<[string, object, number]>([
    ['that ends at once leaves the whole grace', exec(SUCCEEDS_SILENTLY), 20],
    ['that fails as well', exec(SAYS_AND_FAILS), 20],
    ['takes its time from it', { sleep: { seconds: 6 } }, 14],
    ['that hangs leaves two seconds', exec(IGNORES_TERM), 2],
  ])('%s', async (_what, hook, left) => {
    await world.tell({ daemonSets: [web('web-1', hooked(hook))] });
    await runs('web-1/app#0');
    await world.tell({});
    await runs();
    expect(stops()).toEqual([`stop web-1/app#0 grace ${left}`]);
    const failed = world
      .now()
      .events.take()
      .some(({ reason }) => reason === 'FailedPreStopHook');
    expect(failed).toBe(hook !== undefined && JSON.stringify(hook).includes('exit 4'));
  });

  it('is not run without grace', async () => {
    await world.tell({
      daemonSets: [web('web-1', { ...hooked({ sleep: { seconds: 6 } }), terminationGracePeriodSeconds: 0 })],
    });
    await runs('web-1/app#0');
    const before = performance.now();
    await world.tell({});
    await runs();
    expect(stops()).toEqual(['stop web-1/app#0 grace 0']);
    expect(performance.now() - before).toBeLessThan(5000);
  });
});

describe('the last words of a container', () => {
  const PATH = '/dev/termination-log';
  const message = () => status().containerStatuses?.[0]?.lastState?.terminated?.message;
  const ends = async (policy: string, said: string, exitCode: number) => {
    const over = { terminationMessagePath: PATH, terminationMessagePolicy: policy };
    await world.tell({
      daemonSets: [web('web-1', { containers: [container('app', WRITES_AND_STAYS, over)] })],
    });
    await runs('web-1/app#0');
    const { id, settings } = world.container('web-1/app#0');
    const mount = settings.mounts.find(({ target }) => target === PATH);
    expect(mount).toMatchObject({ readOnly: false });
    await writeFile(mount?.source ?? '', said);
    world.engine.end(id, exitCode);
    await runs('web-1/app#1');
    await world.pass(5);
  };

  it.each<[string, string, string, number, string | undefined]>([
    ['are what it wrote into its file', 'File', 'out of luck', 3, 'out of luck'],
    ['of a long text the end', 'File', `${'x'.repeat(5000)}end`, 3, `${'x'.repeat(4093)}end`],
    ['none when it wrote none', 'File', '', 3, undefined],
    ['or else the end of its log, when that is wanted', 'FallbackToLogsOnError', '', 3, 'ready\n'],
    ['not when it ended well', 'FallbackToLogsOnError', '', 0, undefined],
    ['nor when it wrote some', 'FallbackToLogsOnError', 'mine', 3, 'mine'],
  ])('%s', async (_what, policy, said, exitCode, shown) => {
    await ends(policy, said, exitCode);
    expect(message()).toBe(shown);
  });

  it('are still known to an agent that starts anew, and gone with the pod', async () => {
    await ends('File', 'out of luck', 3);
    await world.restart();
    await world.until('it is told', () => message() === 'out of luck');
    await world.tell({});
    await world.until('nothing is left', () => world.report().pods.length === 0);
    expect(await readdir(join(world.directory, 'termination-logs'))).toEqual([]);
  });
});
