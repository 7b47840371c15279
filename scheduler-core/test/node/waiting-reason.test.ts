// Proves the word that `kubectl get pods` shows for a container that does not run, and its message.
import type { ContainerMemory } from '@fleetset/scheduler-core/node/node-action';
import type { PodRecord, SeenContainer } from '@fleetset/scheduler-core/node/pod-record';
import { waitingReason } from '@fleetset/scheduler-core/node/waiting-reason';
import { expect, test } from 'vitest';

const RECORD: PodRecord = {
  uid: 'u-1',
  name: 'web-bcdfg',
  namespace: 'default',
  daemonSetUid: 'd-1',
  daemonSetName: 'web',
  revision: 'r',
  templateHash: 'h',
  createdAt: '2026-01-01T00:00:00Z',
};
const NOW = 1_000_000;
const container = (state: SeenContainer['state'], endedAt?: number): SeenContainer => ({
  id: 'c',
  podUid: 'u-1',
  name: 'main',
  attempt: 1,
  state,
  ...(endedAt === undefined ? {} : { endedAt }),
});
const trouble = (kind: 'image' | 'create' | 'start', reason: string): ContainerMemory => ({
  trouble: { kind, reason, message: 'why not', failedAt: NOW },
});
const waits = (seconds: number): ContainerMemory => ({ restart: { waitMs: seconds * 1000, updatedAt: 0 } });
const backOff = (text: string) =>
  `back-off ${text} restarting failed container=main pod=web-bcdfg_default(u-1)`;

test.each<[string, SeenContainer | undefined, ContainerMemory | undefined, object | undefined]>([
  ['it runs', container('running'), undefined, undefined],
  [
    'it runs, whatever went wrong before',
    container('running'),
    trouble('start', 'RunContainerError'),
    undefined,
  ],
  ['nothing is there yet', undefined, undefined, { reason: 'ContainerCreating' }],
  ['it was made and has not begun', container('created'), {}, { reason: 'ContainerCreating' }],
  ['it has just ended, and is made anew at once', container('exited', NOW), undefined, undefined],
  [
    'rule 96: it waits after its end',
    container('exited', NOW - 3000),
    waits(10),
    { reason: 'CrashLoopBackOff', message: backOff('10s') },
  ],
  [
    'it has ended for the first time, and its successor is being made',
    container('exited', NOW - 3000),
    { ...waits(10), making: 2 },
    undefined,
  ],
  [
    'and says for how long',
    container('exited', NOW - 3000),
    waits(80),
    { reason: 'CrashLoopBackOff', message: backOff('1m20s') },
  ],
  [
    'up to five minutes',
    container('exited', NOW - 3000),
    waits(300),
    { reason: 'CrashLoopBackOff', message: backOff('5m0s') },
  ],
  ['the wait is over', container('exited', NOW - 10_000), waits(10), undefined],
  [
    'rule 98: the first failure to pull is shown as it is',
    undefined,
    trouble('image', 'ErrImagePull'),
    { reason: 'ErrImagePull', message: 'why not' },
  ],
  [
    'rule 98: later ones as waiting',
    undefined,
    { ...trouble('image', 'ErrImagePull'), pull: { waitMs: 20_000, updatedAt: NOW } },
    { reason: 'ImagePullBackOff', message: 'Back-off pulling image "web:1": why not' },
  ],
  [
    'an image that must not be pulled is not waited for',
    undefined,
    { ...trouble('image', 'ErrImageNeverPull'), pull: { waitMs: 20_000, updatedAt: NOW } },
    { reason: 'ErrImageNeverPull', message: 'why not' },
  ],
  [
    'it could not be made',
    undefined,
    trouble('create', 'CreateContainerError'),
    { reason: 'CreateContainerError', message: 'why not' },
  ],
  [
    'it could not begin',
    container('created'),
    trouble('start', 'RunContainerError'),
    { reason: 'RunContainerError', message: 'why not' },
  ],
  [
    'what it was to run is not there',
    { ...container('exited', NOW - 3000), startFailed: true },
    trouble('start', 'RunContainerError'),
    { reason: 'RunContainerError', message: 'why not' },
  ],
  [
    'what it was to run is not there, again',
    { ...container('exited', NOW - 3000), startFailed: true },
    { ...waits(20), ...trouble('start', 'RunContainerError') },
    { reason: 'CrashLoopBackOff', message: backOff('20s') },
  ],
  [
    'its successor cannot begin',
    container('exited', NOW - 3000),
    { ...waits(10), ...trouble('start', 'RunContainerError') },
    { reason: 'RunContainerError', message: 'why not' },
  ],
  [
    'its successor cannot be made',
    container('exited', NOW - 3000),
    { ...waits(10), ...trouble('create', 'FailedMount') },
    { reason: 'ContainerCreating', message: 'why not' },
  ],
])('%s', (_sentence, seen, memory, expected) => {
  expect(waitingReason(RECORD, 'main', 'web:1', seen, memory, NOW)).toEqual(expected);
});
