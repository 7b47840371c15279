// Proves a pod's status as Kubernetes shows it: phase, conditions, container states (rules 92, 93 and 99).
import {
  type ContainerView,
  isPodReady,
  type PodView,
  podStatus,
  type ShownContainer,
} from '@fleetset/scheduler-core/node/pod-status';
import type { PodStatus } from '@fleetset/scheduler-core/schema/pod';
import { describe, expect, test } from 'vitest';

const shown = (state: ShownContainer['state'], more: Partial<ShownContainer> = {}): ShownContainer => ({
  id: 'abc',
  attempt: 0,
  state,
  image: 'web:1',
  imageId: 'sha256:1',
  ...(state === 'created' ? {} : { startedAt: 'T1' }),
  ...(state === 'exited' ? { finishedAt: 'T2', exitCode: 1 } : {}),
  ...more,
});
const view = (name: string, more: Partial<ContainerView> = {}): ContainerView => ({
  spec: { name, image: `${name}:1` },
  ...more,
});
const READY = { started: true, ready: true };
const up = (name = 'main', health = READY) => view(name, { current: shown('running'), health });
const waiting = (reason: string) => ({ waiting: { reason, message: 'why' } });

const statusOf = (containers: readonly ContainerView[], more: Partial<PodView> = {}): PodStatus =>
  podStatus({
    spec: { containers: containers.map(({ spec }) => spec) },
    containers,
    createdAt: 'T0',
    nowText: 'NOW',
    ...more,
  });
const container = (one: ContainerView) => statusOf([one]).containerStatuses?.[0];
const conditions = (status: PodStatus) =>
  Object.fromEntries((status.conditions ?? []).map(({ type, status: value }) => [type, value]));

describe('rule 99: the phase', () => {
  const ENDED = shown('exited');
  test.each<[string, ContainerView[], string]>([
    ['nothing has begun', [view('main')], 'Pending'],
    ['all run', [up()], 'Running'],
    ['it runs and is not ready', [up('main', { started: true, ready: false })], 'Running'],
    ['it cannot be pulled', [view('main', waiting('ImagePullBackOff'))], 'Pending'],
    ['one runs, another has never begun', [up('a'), view('b', waiting('ImagePullBackOff'))], 'Pending'],
    [
      'all wait to be restarted',
      [view('main', { current: ENDED, ...waiting('CrashLoopBackOff') })],
      'Running',
    ],
    ['it has just ended', [view('main', { current: ENDED })], 'Running'],
    [
      'it ended well: restarts are always',
      [view('main', { current: shown('exited', { exitCode: 0 }) })],
      'Running',
    ],
    [
      'it ran, and its successor cannot be pulled',
      [view('main', { current: ENDED, ...waiting('ErrImagePull') })],
      'Running',
    ],
    [
      'it ran, and its successor cannot begin',
      [
        view('main', {
          current: shown('created', { attempt: 1 }),
          previous: ENDED,
          ...waiting('RunContainerError'),
        }),
      ],
      'Running',
    ],
    [
      'it never could begin',
      [view('main', { current: shown('created'), ...waiting('RunContainerError') })],
      'Pending',
    ],
    [
      'one runs, another waits to be restarted',
      [up('a'), view('b', { current: ENDED, ...waiting('CrashLoopBackOff') })],
      'Running',
    ],
    ['a pod of nothing', [], 'Pending'],
  ])('%s', (_sentence, containers, phase) => {
    expect(statusOf(containers).phase).toBe(phase);
  });
});

describe('rules 92 and 93: ready', () => {
  test.each<[string, ContainerView[], boolean]>([
    ['all containers run, started and ready', [up('a'), up('b')], true],
    ['not when one is not ready', [up('a'), up('b', { started: true, ready: false })], false],
    ['not when one has ended', [up('a'), view('b', { current: shown('exited') })], false],
    ['not when its health is not known', [view('main', { current: shown('running') })], false],
    [
      'what was said of a container that ended does not count',
      [view('main', { current: shown('exited'), health: READY })],
      false,
    ],
    ['a pod of nothing is not', [], false],
  ])('%s', (_sentence, containers, ready) => {
    const status = statusOf(containers);
    expect(isPodReady(status)).toBe(ready);
    expect(conditions(status)).toMatchObject({
      Ready: ready ? 'True' : 'False',
      ContainersReady: ready ? 'True' : 'False',
    });
  });
  test('the condition names the containers that are not', () => {
    const status = statusOf([up('a'), view('b'), view('c')]);
    expect(status.conditions?.find(({ type }) => type === 'Ready')).toEqual({
      type: 'Ready',
      status: 'False',
      lastTransitionTime: 'NOW',
      reason: 'ContainersNotReady',
      message: 'containers with unready status: [b c]',
    });
  });
});

describe('conditions', () => {
  test('there are five; the network counts when the pod has an address', () => {
    expect(conditions(statusOf([view('main')]))).toEqual({
      PodReadyToStartContainers: 'False',
      Initialized: 'True',
      Ready: 'False',
      ContainersReady: 'False',
      PodScheduled: 'True',
    });
    expect(conditions(statusOf([view('main')], { podIp: '10.0.0.1' }))).toMatchObject({
      PodReadyToStartContainers: 'True',
    });
  });
  test('keep their time while they stay, and get a new one when they change', () => {
    const previous = {
      conditions: [
        { type: 'Ready', status: 'True', lastTransitionTime: 'THEN' },
        { type: 'PodScheduled', status: 'True', lastTransitionTime: 'THEN' },
      ],
    };
    const times = (status: PodStatus) =>
      Object.fromEntries((status.conditions ?? []).map((one) => [one.type, one.lastTransitionTime]));
    expect(times(statusOf([up()], { previous }))).toMatchObject({
      Ready: 'THEN',
      PodScheduled: 'THEN',
      Initialized: 'NOW',
    });
    expect(times(statusOf([view('main')], { previous }))).toMatchObject({
      Ready: 'NOW',
      PodScheduled: 'THEN',
    });
  });
});

describe('a container', () => {
  const END = {
    exitCode: 1,
    reason: 'Error',
    startedAt: 'T1',
    finishedAt: 'T2',
    containerID: 'docker://abc',
  };
  test('that is not there yet', () => {
    expect(container(view('main'))).toEqual({
      name: 'main',
      state: { waiting: { reason: 'ContainerCreating' } },
      lastState: {},
      ready: false,
      started: false,
      restartCount: 0,
      image: 'main:1',
      imageID: '',
    });
  });
  test('that runs', () => {
    expect(container(up())).toEqual({
      name: 'main',
      state: { running: { startedAt: 'T1' } },
      lastState: {},
      ready: true,
      started: true,
      restartCount: 0,
      image: 'web:1',
      imageID: 'sha256:1',
      containerID: 'docker://abc',
    });
  });
  test('that runs again shows how it ended before', () => {
    const again = view('main', {
      current: shown('running', { attempt: 3 }),
      previous: shown('exited'),
      health: READY,
    });
    expect(container(again)).toMatchObject({ restartCount: 3, lastState: { terminated: END } });
  });
  test('that ended and waits shows both', () => {
    const looping = view('main', { current: shown('exited'), ...waiting('CrashLoopBackOff') });
    expect(container(looping)).toMatchObject({
      state: { waiting: { reason: 'CrashLoopBackOff', message: 'why' } },
      lastState: { terminated: END },
    });
  });
  test('that ended and does not wait', () => {
    expect(container(view('main', { current: shown('exited') }))).toMatchObject({
      state: { terminated: END },
      lastState: {},
    });
  });
  test.each<[Partial<ShownContainer>, object]>([
    [{ exitCode: 0 }, { exitCode: 0, reason: 'Completed' }],
    [
      { exitCode: 137, oomKilled: true },
      { exitCode: 137, reason: 'OOMKilled' },
    ],
    [
      { exitCode: 128, startFailed: true, error: 'no such file' },
      { exitCode: 128, reason: 'StartError', message: 'no such file', startedAt: '1970-01-01T00:00:00Z' },
    ],
    [
      { exitCode: 127, error: 'no such file' },
      { exitCode: 127, reason: 'Error', message: 'no such file' },
    ],
  ])('that ended with %j', (end, expected) => {
    expect(container(view('main', { current: shown('exited', end) }))).toMatchObject({
      state: { terminated: expected },
    });
  });
});

test('addresses, the class and the time of its birth', () => {
  const status = statusOf([view('main')], { nodeIp: '10.0.0.1', podIp: '172.17.0.2' });
  expect(status).toMatchObject({
    hostIP: '10.0.0.1',
    hostIPs: [{ ip: '10.0.0.1' }],
    podIP: '172.17.0.2',
    podIPs: [{ ip: '172.17.0.2' }],
    startTime: 'T0',
    qosClass: 'BestEffort',
  });
  expect(statusOf([view('main')])).not.toHaveProperty('podIP');
});

describe('rules 100 and 101: init containers', () => {
  const SIDECAR = { restartPolicy: 'Always' };
  const done = view('prep', { current: shown('exited', { exitCode: 0 }) });
  const runs = view('prep', { current: shown('running'), health: READY });
  const failed = view('prep', { current: shown('exited') });
  const loops = view('prep', { current: shown('exited'), ...waiting('CrashLoopBackOff') });
  const initWaits = view('main', { waiting: { reason: 'PodInitializing' } });
  const car = (health = READY): ContainerView => ({
    spec: { name: 'car', ...SIDECAR },
    current: shown('running'),
    health,
  });
  const carDown: ContainerView = {
    spec: { name: 'car', ...SIDECAR },
    current: shown('exited'),
    ...waiting('CrashLoopBackOff'),
  };
  const NOT_READY = { started: true, ready: false };
  const NOT_STARTED = { started: false, ready: false };

  test.each<[string, ContainerView[], ContainerView, string, boolean, boolean]>([
    ['one runs', [runs], initWaits, 'Pending', false, false],
    ['one failed', [failed], initWaits, 'Pending', false, false],
    ['one waits to be tried again', [loops], initWaits, 'Pending', false, false],
    ['all ended well', [done], initWaits, 'Pending', true, false],
    ['and the main container runs', [done], up(), 'Running', true, true],
    ['a sidecar has not started', [car(NOT_STARTED)], initWaits, 'Pending', false, false],
    ['a sidecar has', [car(), done], initWaits, 'Pending', true, false],
    ['a sidecar is not ready', [car(NOT_READY)], up(), 'Running', true, false],
    ['a sidecar ended while the main container runs', [carDown], up(), 'Running', true, false],
    [
      'one runs anew while the main container has ended',
      [runs],
      view('main', { current: shown('exited') }),
      'Pending',
      true,
      false,
    ],
  ])('%s', (_what, initContainers, main, phase, initialized, ready) => {
    const status = statusOf([main], { initContainers });
    expect(status.phase).toBe(phase);
    expect(conditions(status)).toMatchObject({
      Initialized: initialized ? 'True' : 'False',
      Ready: ready ? 'True' : 'False',
    });
  });
  test('are ready when they have ended well; sidecars like main containers', () => {
    const { initContainerStatuses = [] } = statusOf([up()], { initContainers: [done, runs, car()] });
    expect(initContainerStatuses.map(({ ready, started }) => [ready, started])).toEqual([
      [true, false],
      [false, true],
      [true, true],
    ]);
  });
  test('the conditions name what is missing', () => {
    const status = statusOf([initWaits], { initContainers: [done, loops, car(NOT_STARTED)] });
    const messages = status.conditions?.map(({ type, reason, message }) => [type, reason, message]);
    expect(messages).toContainEqual([
      'Initialized',
      'ContainersNotInitialized',
      'containers with incomplete status: [prep car]',
    ]);
    expect(messages).toContainEqual([
      'Ready',
      'ContainersNotReady',
      'containers with unready status: [car main]',
    ]);
  });
});
