// ConfigMaps and Secrets in the life of a pod on its node: waited for, taken up at once, and known without a plane.
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Container } from '@fleetset/scheduler-core/schema/container';
import type { Volume } from '@fleetset/scheduler-core/schema/volume';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { template, toldConfig, toldSet } from '../desired.ts';
import { fakeClock, type NodeWorld, openNodeWorld } from '../node-world.ts';
import { TEST_IMAGE } from '../pods.ts';
import { OBEYS } from '../test-programs.ts';
import { until } from '../wait-until.ts';

let world: NodeWorld;
beforeEach(async () => {
  fakeClock();
  world = await openNodeWorld();
});
afterEach(() => {
  vi.useRealTimers();
});

const container = (over: Partial<Container>): Container => ({
  name: 'app',
  image: TEST_IMAGE,
  command: [...OBEYS.command],
  ...over,
});
const web = (revision: string, over: Partial<Container>, more: Parameters<typeof template>[0] = {}) =>
  toldSet('web', {
    revision,
    template: template({ priorityClassName: revision, containers: [container(over)], ...more }),
  });
const LEVEL = { env: [{ name: 'LEVEL', valueFrom: { configMapKeyRef: { name: 'app', key: 'level' } } }] };
const VOLUME: { readonly volumes: readonly Volume[] } = {
  volumes: [{ name: 'conf', configMap: { name: 'app' } }],
};
const MOUNT = { volumeMounts: [{ name: 'conf', mountPath: '/conf' }] };
const app = (data?: { readonly [key: string]: string }) => toldConfig('ConfigMap', 'app', data);

const runs = (...titles: readonly string[]) =>
  world.until(
    `these run: ${titles.join(', ')}`,
    () => String(world.running()) === String([...titles].sort()),
  );
const waiting = (revision: string): { reason?: string; message?: string } | undefined => {
  const pod = world.report().pods.find((one) => one.revision === revision);
  return JSON.parse(pod?.statusJson ?? '{}').containerStatuses?.[0]?.state?.waiting;
};
const eventsOf = (reason: string) =>
  world
    .now()
    .events.take()
    .filter((event) => event.reason === reason)
    .map(({ message }) => message);
const fileOf = (name: string, revision = 'web-1') => {
  const uid = world.report().pods.find((pod) => pod.revision === revision)?.uid ?? '';
  return readFile(join(world.directory, 'pods', uid, 'volumes/conf', name), 'utf8');
};

describe('a container whose environment needs a ConfigMap', () => {
  it('waits for it with the words users know, and is made at once when it appears', async () => {
    await world.tell({ daemonSets: [web('web-1', LEVEL)], configs: [app()] });
    await world.until('it waits', () => waiting('web-1')?.reason === 'CreateContainerConfigError');
    expect(waiting('web-1')?.message).toBe('configmap "app" not found');
    expect(eventsOf('Failed')).toEqual(['Error: configmap "app" not found']);
    await world.pass(600);
    expect(eventsOf('Failed')).toEqual([]);
    const before = performance.now();
    await world.tell({ daemonSets: [web('web-1', LEVEL)], configs: [app({ level: 'debug' })] });
    await runs('web-1/app#0');
    expect(performance.now() - before).toBeLessThan(2000);
    expect(world.container('web-1/app#0').settings.env).toEqual(['LEVEL=debug']);
  });

  it('waits for the key, too', async () => {
    await world.tell({ daemonSets: [web('web-1', LEVEL)], configs: [app({ other: 'x' })] });
    await world.until(
      'it waits',
      () => waiting('web-1')?.message === "couldn't find key level in ConfigMap default/app",
    );
  });

  it('has it anew in the next container, not in the one that runs', async () => {
    await world.tell({ daemonSets: [web('web-1', LEVEL)], configs: [app({ level: 'debug' })] });
    await runs('web-1/app#0');
    await world.tell({ daemonSets: [web('web-1', LEVEL)], configs: [app({ level: 'info' })] });
    await world.pass(30);
    expect(world.running()).toEqual(['web-1/app#0']);
    world.engine.end(world.container('web-1/app#0').id);
    await runs('web-1/app#1');
    expect(world.container('web-1/app#1').settings.env).toEqual(['LEVEL=info']);
  });

  it('of which nothing was told yet is only being created', async () => {
    await world.tell({ daemonSets: [web('web-1', LEVEL)] });
    await world.until('it waits', () => waiting('web-1')?.message?.includes('has not come from the plane'));
    expect(waiting('web-1')?.reason).toBe('ContainerCreating');
    expect(eventsOf('Failed')).toEqual([]);
  });

  it('leaves the pod that it replaces running while it waits', async () => {
    await world.tell({ daemonSets: [web('web-1', {})] });
    await runs('web-1/app#0');
    await world.tell({ daemonSets: [web('web-2', LEVEL)], configs: [app()] });
    await world.until('the new one waits', () => waiting('web-2')?.reason === 'CreateContainerConfigError');
    await world.pass(60);
    expect(world.running()).toEqual(['web-1/app#0']);
    await world.tell({ daemonSets: [web('web-2', LEVEL)], configs: [app({ level: 'x' })] });
    await runs('web-2/app#0');
  });
});

it('a pod whose volume cannot be had says so ever more rarely', async () => {
  const mounts = { volumeMounts: ['conf', 'host'].map((name) => ({ name, mountPath: `/${name}` })) };
  const path = join(world.directory, 'none');
  const volumes = [...VOLUME.volumes, { name: 'host', hostPath: { path, type: 'Directory' } }];
  const pod = web('web-1', mounts, { hostNetwork: false, volumes });
  await world.tell({ daemonSets: [pod], configs: [app({ a: 'one' })] });
  await world.pass(300);
  // At once, and after 10, 20, 40, 80 and 160 s more at most; and once for what follows the ConfigMap.
  expect(eventsOf('FailedMount').length).toBeLessThan(8);
  await mkdir(path);
  await runs('web-1/POD#0', 'web-1/app#0');
});

describe('a pod whose volume needs a ConfigMap', () => {
  it('waits for it, and says why in an event of the pod', async () => {
    await world.tell({ daemonSets: [web('web-1', MOUNT, VOLUME)], configs: [app()] });
    await world.until('it waits', () => waiting('web-1')?.message);
    const message = 'MountVolume.SetUp failed for volume "conf" : configmap "app" not found';
    expect(waiting('web-1')).toEqual({ reason: 'ContainerCreating', message });
    expect(eventsOf('FailedMount')).toEqual([message]);
    await world.tell({ daemonSets: [web('web-1', MOUNT, VOLUME)], configs: [app({ a: 'one' })] });
    await runs('web-1/app#0');
    expect(await fileOf('a')).toBe('one');
  });

  it('leaves the pod that it replaces running, and is shown beside it', async () => {
    await world.tell({ daemonSets: [web('web-1', {})] });
    await runs('web-1/app#0');
    await world.tell({ daemonSets: [web('web-2', MOUNT, VOLUME)], configs: [app()] });
    await world.until('the new one is shown', () => waiting('web-2')?.message?.includes('not found'));
    await world.pass(60);
    expect(world.running()).toEqual(['web-1/app#0']);
  });

  it('has its changes while it runs, and goes on without it', async () => {
    const set = web('web-1', MOUNT, VOLUME);
    await world.tell({ daemonSets: [set], configs: [app({ a: 'one' })] });
    await runs('web-1/app#0');
    await world.tell({ daemonSets: [set], configs: [app({ a: 'two' })] });
    await until('its file is new', async () => {
      await world.pass(1);
      return (await fileOf('a')) === 'two';
    });
    world.now().events.take();
    await world.tell({ daemonSets: [set], configs: [app()] });
    await world.pass(200);
    expect(eventsOf('FailedMount')).toHaveLength(1);
    world.engine.end(world.container('web-1/app#0').id);
    await runs('web-1/app#1');
    expect(await fileOf('a')).toBe('two');
    expect(world.container('web-1/app#1').settings.mounts).toMatchObject([
      { target: '/conf', readOnly: true },
    ]);
  });

  it('has the changes that came while no agent lived', async () => {
    const set = web('web-1', MOUNT, VOLUME);
    await world.tell({ daemonSets: [set], configs: [app({ a: 'one' })] });
    await runs('web-1/app#0');
    await world.restart({ meanwhile: () => world.tell({ daemonSets: [set], configs: [app({ a: 'two' })] }) });
    await until('its file is new', async () => {
      await world.pass(1);
      return (await fileOf('a')) === 'two';
    });
    expect(world.running()).toEqual(['web-1/app#0']);
  });

  it('takes its volumes along when it goes', async () => {
    await world.tell({ daemonSets: [web('web-1', MOUNT, VOLUME)], configs: [app({ a: 'one' })] });
    await runs('web-1/app#0');
    await world.tell({});
    await runs();
    await until('nothing of it is on the disk', async () => {
      await world.pass(1);
      return (await readdir(join(world.directory, 'pods'))).length === 0;
    });
  });
});

it('a node that boots alone starts its pods with what it was told last', async () => {
  const set = web('web-1', { ...LEVEL, ...MOUNT }, VOLUME);
  await world.tell({ daemonSets: [set], configs: [app({ level: 'debug' })] });
  await runs('web-1/app#0');
  await world.restart({
    bootId: 'boot-2',
    meanwhile: async () => world.engine.end(world.container('web-1/app#0').id),
  });
  await runs('web-1/app#1');
  expect(world.container('web-1/app#1').settings.env).toEqual(['LEVEL=debug']);
});

it("a container that names its pod's address is made when the pod has one", async () => {
  const address = { env: [{ name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }] };
  await world.tell({ daemonSets: [web('web-1', {}, { hostNetwork: false })] });
  await runs('web-1/POD#0', 'web-1/app#0');
  await world.tell({ daemonSets: [web('web-2', address, { hostNetwork: false })] });
  await runs('web-2/POD#0', 'web-2/app#0');
  const [variable] = world.container('web-2/app#0').settings.env;
  expect(variable).toBe(`IP=${world.container('web-2/POD#0').ip}`);
  const calls = world.engine.calls;
  expect(calls.indexOf('create web-2/app#0')).toBeGreaterThan(calls.indexOf('start web-2/POD#0'));
});

describe('an init container', () => {
  const init = (over: Partial<Container>) => ({
    hostNetwork: false,
    initContainers: [container({ name: 'init', ...over })],
  });

  it('has its environment and its volumes from ConfigMaps, like any other', async () => {
    const pod = web('web-1', {}, { ...init({ ...LEVEL, ...MOUNT }), ...VOLUME });
    await world.tell({ daemonSets: [pod], configs: [app()] });
    await world.until('it waits', () => eventsOf('FailedMount').length > 0);
    await world.tell({ daemonSets: [pod], configs: [app({ level: 'debug' })] });
    await runs('web-1/POD#0', 'web-1/init#0');
    const { env, mounts } = world.container('web-1/init#0').settings;
    expect(env).toEqual(['LEVEL=debug']);
    expect(mounts).toMatchObject([{ target: '/conf', readOnly: true }]);
    expect(await fileOf('level')).toBe('debug');
  });

  it('finds nothing where a later container mounts a single path: that may be its to make', async () => {
    const work: { readonly volumes: readonly Volume[] } = { volumes: [{ name: 'conf', emptyDir: {} }] };
    const single = { volumeMounts: [{ name: 'conf', mountPath: '/app.conf', subPath: 'app.conf' }] };
    await world.tell({ daemonSets: [web('web-1', {})] });
    await runs('web-1/app#0');
    await world.tell({ daemonSets: [web('web-2', single, { ...init(MOUNT), ...work })] });
    await runs('web-2/POD#0', 'web-2/init#0');
    expect(world.engine.calls).not.toContain('create web-2/app#0');
    const uid = world.report().pods.find(({ revision }) => revision === 'web-2')?.uid ?? '';
    expect(await readdir(join(world.directory, 'pods', uid, 'volumes/conf'))).toEqual([]);
  });
});

describe('a revision that comes with a snapshot', () => {
  const spec = { containers: [container({ ...LEVEL, ...MOUNT })], ...VOLUME };
  const snapped = (revision: string, level?: string) =>
    toldSet('web', {
      revision,
      template: template(spec),
      ...(level === undefined ? {} : { config: [app({ level })] }),
    });
  const levels = async () => {
    const [app0] = world.running();
    return [world.container(app0 ?? '').settings.env[0], await fileOf('level')];
  };
  const untilFile = (text: string) =>
    until(`its file says ${text}`, async () => {
      await world.pass(1);
      return (await fileOf('level')) === text;
    });

  it('gives its pods what it holds, whatever is told beside it', async () => {
    await world.tell({ daemonSets: [snapped('web-1', 'old')], configs: [app({ level: 'new' })] });
    await runs('web-1/app#0');
    expect(await levels()).toEqual(['LEVEL=old', 'old']);
  });

  it('leaves the pods of the one before theirs, until they are replaced', async () => {
    await world.tell({ daemonSets: [snapped('web-1', 'old')] });
    await runs('web-1/app#0');
    world.engine.fail({ call: 'create', how: 'before', about: 'web-2', times: 1 });
    await world.tell({ daemonSets: [snapped('web-2', 'new')] });
    await world.until(
      'the new one has failed to be made',
      () => waiting('web-2')?.reason === 'CreateContainerError',
    );
    world.engine.end(world.container('web-1/app#0').id);
    await runs('web-1/app#1');
    expect(await levels()).toEqual(['LEVEL=old', 'old']);
    // Also with another agent.
    await world.restart();
    await runs('web-2/app#0');
    expect(world.container('web-2/app#0').settings.env).toEqual(['LEVEL=new']);
  });

  it('that is given to pods which followed what was told, and taken from them, restarts nothing', async () => {
    await world.tell({ daemonSets: [snapped('web-1')], configs: [app({ level: 'one' })] });
    await runs('web-1/app#0');
    await world.tell({ daemonSets: [snapped('web-1', 'one')], configs: [app({ level: 'two' })] });
    await world.pass(30);
    expect(await levels()).toEqual(['LEVEL=one', 'one']);
    await world.tell({ daemonSets: [snapped('web-1')], configs: [app({ level: 'two' })] });
    await untilFile('two');
    expect(world.running()).toEqual(['web-1/app#0']);
  });
});
