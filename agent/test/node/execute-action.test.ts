// One action against the engine: what counts as done, what becomes a container's trouble, and what is nobody's fault.
import { join } from 'node:path';
import type { CreateAction, NodeAction } from '@fleetset/scheduler-core/node/node-action';
import type { Container } from '@fleetset/scheduler-core/schema/container';
import type { PodSpec } from '@fleetset/scheduler-core/schema/pod';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ActionFailed } from '../../src/node/action-failed.ts';
import { createAgentEvents } from '../../src/node/agent-events.ts';
import { executeAction } from '../../src/node/execute-action.ts';
import { podConfig } from '../../src/node/pod-config.ts';
import { createRunningHooks } from '../../src/node/running-hooks.ts';
import { type ContainerRuntime, RuntimeError } from '../../src/runtime/container-runtime.ts';
import { openBodyFiles } from '../../src/state/body-files.ts';
import { openPodBook } from '../../src/state/pod-book.ts';
import { openTerminationLogs } from '../../src/state/termination-logs.ts';
import { openPodVolumes } from '../../src/volumes/pod-volumes.ts';
import { template } from '../desired.ts';
import { createFakeEngine, type FakeEngine } from '../fake-runtime.ts';
import { NO_TOKENS } from '../no-tokens.ts';
import { plainMounts } from '../plain-mounts.ts';
import { podRecord, settings, TEST_IMAGE } from '../pods.ts';
import { tempDirectory } from '../temp-directory.ts';
import { OBEYS } from '../test-programs.ts';

const OWNER = 'test/node-1';
const MINUTES = 60_000;
const IMAGE = 'registry/large:1';

let engine: FakeEngine;
beforeEach(() => {
  engine = createFakeEngine();
});
afterEach(() => {
  vi.useRealTimers();
});

const record = podRecord();

/** The node's end: one pod of one container, and how its actions are done. */
async function openPod(
  over: Partial<Container> = {},
  wrap: Partial<ContainerRuntime> = {},
  spec: Partial<PodSpec> = {},
  holder: () => string | undefined = () => undefined,
) {
  const directory = await tempDirectory();
  const pods = await openPodBook(directory, () => {});
  const bodies = await openBodyFiles(join(directory, 'bodies'));
  await pods.add(record);
  const events = createAgentEvents();
  const runtime = { ...engine.runtime(OWNER), ...wrap };
  const container = { name: 'app', image: TEST_IMAGE, command: [...OBEYS.command], ...over };
  const act = (action: NodeAction) =>
    executeAction(
      {
        nodeName: 'node-1',
        runtime,
        pods,
        events,
        volumes: openPodVolumes(join(directory, 'pods'), plainMounts),
        tokens: NO_TOKENS,
        mappedRoot: () => 0,
        nodeIp: () => '127.0.0.1',
        allocatable: { cpus: 2, memoryBytes: 2 ** 34, diskBytes: 0 },
        machineMemoryBytes: 2 ** 34,
        api: () => undefined,
        configOf: (pod, whole) =>
          podConfig({ told: undefined, bodies, tokens: NO_TOKENS }, pod, whole, undefined),
        minOomScoreAdjust: -1000,
        terminationLogs: openTerminationLogs(directory),
        seccompDirectory: directory,
        monotonicNow: () => performance.now(),
        templateOf: () => template({ ...spec, containers: [container] }),
        daemonSet: (uid) => ({
          uid,
          namespace: 'default',
          name: 'web',
          rules: {},
          granted: { revision: 'web-2', templateHash: 'b'.repeat(64) },
        }),
        pidOf: () => undefined,
        holderOf: () => {
          const id = holder();
          return id === undefined ? undefined : { id, attempt: 0 };
        },
        nextHolderAttempt: () => 0,
        podIp: () => undefined,
        hooks: createRunningHooks(),
        anyRuns: () => false,
        nextLook: async () => {},
        signal: new AbortController().signal,
      },
      action,
    );
  return { runtime, pods, events, act, reasons: () => events.take().map(({ reason }) => reason) };
}

const about = { podUid: record.uid, container: 'app', reason: 'a test' };
const CREATE: CreateAction = { ...about, kind: 'create', attempt: 0 };
const startOf = (id: string): NodeAction => ({ ...about, kind: 'start', id });
const failureOf = (run: Promise<unknown>) =>
  run.then(
    () => undefined,
    (error: unknown) => error,
  );

it('what is made would be started next, if it can run', async () => {
  let holder: string | undefined = 'first';
  let meanwhile = () => {};
  const create: ContainerRuntime['create'] = (settings) => {
    meanwhile();
    return engine.runtime(OWNER).create(settings);
  };
  const { act } = await openPod({}, { create }, {}, () => holder);
  const next = await act(CREATE);
  const [made] = engine.containers();
  expect(next).toEqual({ ...about, kind: 'start', id: made?.id, isFresh: true });
  expect(await act(startOf(made?.id ?? ''))).toBeUndefined();
  expect(await act({ ...CREATE, attempt: 1, only: 'check' })).toBeUndefined();
  // It is there already, whoever made it: the next look tells what is to come of it.
  expect(await act(CREATE)).toBeUndefined();
  meanwhile = () => {
    holder = 'second';
  };
  expect(await act({ ...CREATE, attempt: 1 })).toBeUndefined();
  expect(engine.containers()).toHaveLength(2);
});

it('a pod with users of its own is made only where the engine maps them', async () => {
  const info = await engine.runtime(OWNER).info();
  const spec = { hostUsers: false };
  const { act } = await openPod({}, {}, spec);
  expect(await failureOf(act(CREATE))).toMatchObject({ trouble: { reason: 'CreateContainerConfigError' } });
  expect(engine.containers()).toEqual([]);
  const mapping = await openPod({}, { info: async () => ({ ...info, mapsUsers: true }) }, spec);
  await mapping.act(CREATE);
  expect(engine.containers()).toHaveLength(1);
});

describe('an image', () => {
  it.each<[string, string | undefined, readonly string[]]>([
    ['that is there is not asked of the registry', 'IfNotPresent', []],
    ['that is there is asked of the registry all the same', 'Always', [`pull ${TEST_IMAGE}`]],
    ['that is there is used as it is', 'Never', []],
  ])('%s with policy %s', async (_case, imagePullPolicy, pulls) => {
    engine.addImage(TEST_IMAGE, { pullable: true });
    const { act } = await openPod(imagePullPolicy === undefined ? {} : { imagePullPolicy });
    await act(CREATE);
    expect(engine.calls.filter((call) => call.startsWith('pull'))).toEqual(pulls);
    expect(engine.containers()).toHaveLength(1);
  });

  it('that is there is not looked for: the engine says so when the container is made', async () => {
    const { act, reasons } = await openPod();
    await act(CREATE);
    expect([engine.count('hasImage'), engine.count('create')]).toEqual([0, 1]);
    expect(reasons()).toEqual(['Pulled', 'Created']);
  });

  it('that is not there is pulled, and the container is made then', async () => {
    engine.addImage(IMAGE, { pullable: true });
    const { act, reasons } = await openPod({ image: IMAGE });
    expect(await act(CREATE)).toMatchObject({ kind: 'start' });
    expect(engine.containers()).toHaveLength(1);
    expect(reasons()).toEqual(['Pulling', 'Pulled', 'Created']);
  });

  it.each<[string, Partial<Container>]>([
    ['whose user is to be known', { securityContext: { runAsGroup: 5 } }],
    ['that must not run as root', { securityContext: { runAsNonRoot: true, runAsUser: 5 } }],
  ])('%s is there before the container is made', async (_what, container) => {
    engine.addImage(IMAGE, { pullable: true });
    const { act } = await openPod({ image: IMAGE, ...container });
    await act(CREATE);
    expect(engine.calls.map((call) => call.split(' ')[0])).toEqual(['pull', 'create']);
  });

  it('that must not be pulled is told before what else keeps the container from being made', async () => {
    const env = [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'missing', key: 'x' } } }];
    const absent = await openPod({ image: IMAGE, imagePullPolicy: 'Never', env });
    expect(await failureOf(absent.act(CREATE))).toMatchObject({ trouble: { reason: 'ErrImageNeverPull' } });
    const here = await openPod({ env });
    expect(await failureOf(here.act(CREATE))).toMatchObject({ trouble: { kind: 'config' } });
    expect(here.reasons()).toEqual(['Pulled']);
  });

  it('is not blamed for what else keeps a container from being made', async () => {
    const create = () => Promise.reject(new RuntimeError('failed', 'no space for its layer'));
    const { act, reasons } = await openPod({}, { create });
    expect(await failureOf(act(CREATE))).toMatchObject({
      trouble: { kind: 'create', reason: 'CreateContainerError', message: 'no space for its layer' },
    });
    expect(reasons()).toEqual(['Pulled']);
  });

  describe('that is there, with policy Always', () => {
    const away = { pull: async () => Promise.reject(new RuntimeError('pull-failed', 'no such host')) };
    const refused = { pull: async () => Promise.reject(new RuntimeError('pull-refused', 'denied')) };
    const older = (over: object = {}) => podRecord({ createdAt: '2024-05-06T07:08:08Z', ...over });

    it('is used where its registry does not answer, and that is said', async () => {
      const { act, reasons } = await openPod({ imagePullPolicy: 'Always' }, away);
      await act(CREATE);
      expect(engine.containers()).toHaveLength(1);
      expect(reasons()).toEqual(['Pulling', 'Failed', 'Pulled', 'Created']);
    });

    it('is not used where its registry says no', async () => {
      const { act } = await openPod({ imagePullPolicy: 'Always' }, refused);
      expect(await failureOf(act(CREATE))).toMatchObject({ trouble: { reason: 'ErrImagePull' } });
      expect(engine.containers()).toEqual([]);
    });

    it('is not used for an update: that waits, and the old pod runs on', async () => {
      const { act, pods } = await openPod({ imagePullPolicy: 'Always' }, away);
      const old = older();
      await pods.add(old);
      expect(await failureOf(act(CREATE))).toMatchObject({ trouble: { reason: 'ErrImagePull' } });
      await pods.setEnding(old.uid);
      await act(CREATE);
      expect(engine.containers()).toHaveLength(1);
    });

    it('is used where the older pod has failed', async () => {
      const { act, pods } = await openPod({ imagePullPolicy: 'Always' }, away);
      const old = older();
      await pods.add(old);
      await pods.setEnd(old.uid, { phase: 'Failed', reason: 'OutOfmemory', message: 'too large' });
      await act(CREATE);
      expect(engine.containers()).toHaveLength(1);
    });

    it.each<[string, object]>([
      ["another DaemonSet's", { daemonSetName: 'other', daemonSetUid: 'uid-of-other' }],
      ['its successor', { createdAt: '2024-05-06T07:08:10Z' }],
    ])('is used whatever other pod there is: %s', async (_whose, over) => {
      const { act, pods } = await openPod({ imagePullPolicy: 'Always' }, away);
      await pods.add(older(over));
      await act(CREATE);
      expect(engine.containers()).toHaveLength(1);
    });
  });

  it('that is not there, and whose registry does not answer, is waited for', async () => {
    const { act, reasons } = await openPod({ image: IMAGE });
    expect(await failureOf(act(CREATE))).toMatchObject({ trouble: { reason: 'ErrImagePull' } });
    expect(reasons()).toEqual(['Pulling', 'Failed', 'Failed', 'BackOff']);
  });

  const BROKEN_DISK = () => Promise.reject(new RuntimeError('failed', 'the disk is broken'));

  it.each<[string, Partial<Container>, Partial<ContainerRuntime>, string, string]>([
    [
      'that no image can be called',
      { image: 'Foo/Bar' },
      { pull: async () => Promise.reject(new RuntimeError('invalid', 'invalid reference format')) },
      'InvalidImageName',
      `InspectFailed: Failed to apply default image tag "Foo/Bar": couldn't parse image name "Foo/Bar": invalid reference format`,
    ],
    [
      'that the engine cannot look at',
      {},
      { create: BROKEN_DISK, hasImage: BROKEN_DISK },
      'ImageInspectError',
      `InspectFailed: Failed to inspect image "${TEST_IMAGE}": the disk is broken`,
    ],
    [
      'that is not there and must not be pulled',
      { image: IMAGE, imagePullPolicy: 'Never' },
      {},
      'ErrImageNeverPull',
      `ErrImageNeverPull: Container image "${IMAGE}" is not present with pull policy of Never`,
    ],
  ])('%s is told in the words of Kubernetes', async (_what, container, wrap, reason, event) => {
    const { act, events } = await openPod(container, wrap);
    expect(await failureOf(act(CREATE))).toMatchObject({ trouble: { kind: 'image', reason } });
    const told = events.take().map((one) => `${one.reason}: ${one.message}`);
    expect(told.slice(-2)).toEqual([event, `Failed: Error: ${reason}`]);
  });

  it('that takes hours is pulled to its end while there is progress', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { act } = await openPod(
      { image: IMAGE },
      {
        pull: async (image, signal, onProgress) => {
          for (let turn = 0; turn < 20; turn++) {
            await new Promise((resolve) => setTimeout(resolve, 20 * MINUTES));
            signal.throwIfAborted();
            onProgress?.();
          }
          engine.addImage(image);
        },
      },
    );
    const done = failureOf(act(CREATE));
    await vi.advanceTimersByTimeAsync(500 * MINUTES);
    expect(await done).toBeUndefined();
    expect(engine.containers()).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('that does not come on is given up, with the reason', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { act, reasons } = await openPod(
      { image: IMAGE },
      {
        pull: (_image, signal, onProgress) =>
          new Promise((_resolve, reject) => {
            setTimeout(() => onProgress?.(), 20 * MINUTES);
            signal.addEventListener('abort', () => reject(signal.reason));
          }),
      },
    );
    const done = failureOf(act(CREATE));
    await vi.advanceTimersByTimeAsync(49 * MINUTES);
    expect(reasons()).toEqual(['Pulling']);
    await vi.advanceTimersByTimeAsync(2 * MINUTES);
    expect(await done).toMatchObject({
      trouble: { kind: 'image', reason: 'ErrImagePull', message: 'no progress in 30 minutes' },
    });
  });
});

describe('what the engine did not answer in time', () => {
  const late = new RuntimeError('timeout', 'no answer in 120 s');

  it('is not held against the container: creating', async () => {
    engine.fail({ call: 'create', how: 'before', error: late });
    const { act } = await openPod();
    expect(await failureOf(act(CREATE))).toBe(late);
  });

  it('is not held against the container: starting', async () => {
    const { act, runtime } = await openPod();
    const id = await runtime.create(settings());
    engine.fail({ call: 'start', how: 'before', error: late });
    expect(await failureOf(act(startOf(id)))).toBe(late);
  });
});

describe('starting what is not found', () => {
  it('is done when the container is gone', async () => {
    const { act, reasons } = await openPod();
    expect(await failureOf(act(startOf('gone')))).toBeUndefined();
    expect(reasons()).toEqual([]);
  });

  it('is a trouble of the container when that is there, and something it needs is gone', async () => {
    const { act, runtime } = await openPod();
    const holder = await runtime.create(settings(OBEYS, { network: 'own' }));
    const id = await runtime.create(settings(OBEYS, { network: { holderId: holder } }));
    await runtime.remove(holder);
    const error = await failureOf(act(startOf(id)));
    expect(error).toBeInstanceOf(ActionFailed);
    expect(error).toMatchObject({ trouble: { kind: 'start', reason: 'RunContainerError' } });
  });
});

// Found by the simulation (seed 680): the pod that was being prepared passed for the older one.
describe('a pod', () => {
  it.each([
    ['in the second of the one before it', '2024-05-06T07:08:09.700Z', '2024-05-06T07:08:10Z'],
    ['when the clock was set back', '2024-05-06T06:00:00Z', '2024-05-06T07:08:10Z'],
    ['later', '2024-05-06T09:00:00.700Z', '2024-05-06T09:00:00Z'],
  ])('that is born %s is younger than that', async (_case, now, createdAt) => {
    const { act, pods } = await openPod();
    vi.useFakeTimers({ now: Date.parse(now), toFake: ['Date'] });
    await act({ kind: 'bear', daemonSetUid: record.daemonSetUid, reason: 'a test' });
    expect(pods.all().map((pod) => pod.record.createdAt)).toEqual([record.createdAt, createdAt]);
  });
});
