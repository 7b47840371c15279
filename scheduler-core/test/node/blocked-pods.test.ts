// Proves which pods are blocked back: for want of cpu, memory or room, or for a port of the node that is taken; and that
// what a pod replaces is never in its way (rules 76, 77 and 78).
import { type BlockedInput, blockedPods, type TakenPort } from '@fleetset/scheduler-core/node/blocked-pods';
import { podRequests } from '@fleetset/scheduler-core/node/pod-requests';
import type { Container } from '@fleetset/scheduler-core/schema/container';
import type { PodSpec } from '@fleetset/scheduler-core/schema/pod';
import { describe, expect, test } from 'vitest';

const GIB = 2 ** 30;
const ROOM = { cpuMilli: 2000, memoryBytes: 4 * GIB, pods: 5 };
const container = (cpu: string, memory: string, more: Partial<Container> = {}): Container => ({
  name: `c-${cpu}-${memory}-${Object.keys(more).length}`,
  resources: { requests: { cpu, memory } },
  ...more,
});
const SIDECAR = { restartPolicy: 'Always' };

describe('what a pod asks for', () => {
  test.each<[string, Partial<PodSpec>, number, number]>([
    [
      'all its containers together',
      { containers: [container('1', '1Gi'), container('500m', '1Gi')] },
      1500,
      2,
    ],
    [
      'limits where requests are missing (rule 76)',
      { containers: [{ name: 'c', resources: { limits: { cpu: '1', memory: '1Gi' } } }] },
      1000,
      1,
    ],
    [
      'or what its largest init container needs',
      { initContainers: [container('3', '0'), container('0', '2Gi')], containers: [container('1', '1Gi')] },
      3000,
      2,
    ],
    [
      'sidecars run beside the main containers',
      { initContainers: [container('1', '1Gi', SIDECAR)], containers: [container('1', '1Gi')] },
      2000,
      2,
    ],
    [
      'and beside init containers that come after them',
      {
        initContainers: [container('1', '1Gi', SIDECAR), container('2', '3Gi')],
        containers: [container('1', '1Gi')],
      },
      3000,
      4,
    ],
    [
      'not before them',
      {
        initContainers: [container('2', '3Gi'), container('1', '1Gi', SIDECAR)],
        containers: [container('1', '1Gi')],
      },
      2000,
      3,
    ],
  ])('%s', (_what, spec, cpuMilli, gib) => {
    expect(podRequests({ containers: [], ...spec })).toEqual({ cpuMilli, memoryBytes: gib * GIB });
  });
});

type Pod = BlockedInput['pods'][number];
let made = 0;
const pod = (set: string, started: boolean, spec: Partial<PodSpec>, more: Partial<Pod> = {}): Pod => {
  made += 1;
  return {
    record: {
      uid: `${set}-${made}`,
      name: `${set}-abcde`,
      namespace: 'default',
      daemonSetUid: set,
      daemonSetName: set,
      revision: 'r',
      templateHash: 'h',
      createdAt: `2026-01-01T00:00:${String(made % 60).padStart(2, '0')}Z`,
    },
    template: { spec: { containers: [], ...spec } },
    started,
    stays: false,
    ...more,
  };
};
const asks = (cpu: string, memory: string) => ({ containers: [container(cpu, memory)] });
/** Of the last pod. */
const blockOf = (pods: readonly Pod[], taken: readonly TakenPort[] = [], room = ROOM) =>
  blockedPods({ pods, room, taken }).get(pods.at(-1)?.record.uid ?? '');
const unfit = (...reasons: string[]) => ({
  reason: 'Unschedulable',
  message: `0/1 nodes are available: ${reasons.map((reason) => `1 ${reason}`).join(', ')}.`,
});

describe('a pod that does not fit', () => {
  test.each<[string, Pod[], object | undefined]>([
    ['alone it does', [pod('a', false, asks('2', '4Gi'))], undefined],
    ['too much memory', [pod('a', false, asks('1', '5Gi'))], unfit('Insufficient memory')],
    [
      'too much of both',
      [pod('a', false, asks('3', '5Gi'))],
      unfit('Insufficient cpu', 'Insufficient memory'),
    ],
    [
      'what others have counts',
      [pod('b', true, asks('1500m', '0')), pod('a', false, asks('1', '0'))],
      unfit('Insufficient cpu'),
    ],
    [
      'what it replaces does not',
      [pod('a', true, asks('1500m', '0')), pod('a', false, asks('1', '0'))],
      undefined,
    ],
    [
      'unless both are to run',
      [pod('a', true, asks('1500m', '0'), { stays: true }), pod('a', false, asks('1', '0'))],
      unfit('Insufficient cpu'),
    ],
    [
      'who came first is let in first',
      [pod('b', false, asks('1500m', '0')), pod('a', false, asks('1', '0'))],
      unfit('Insufficient cpu'),
    ],
    ['who asks for nothing always fits', [pod('b', true, asks('2', '4Gi')), pod('a', false, {})], undefined],
    [
      'what runs is not blocked back, however little there is',
      [pod('b', true, asks('2', '0')), pod('a', true, asks('2', '0'))],
      undefined,
    ],
    [
      'but not beside too many',
      [...['b', 'c', 'd', 'e', 'f'].map((set) => pod(set, true, {})), pod('a', false, {})],
      unfit('Too many pods'),
    ],
  ])('%s', (_what, pods, expected) => {
    expect(blockOf(pods)).toEqual(expected);
  });
});

const listens = (port: number, more: object = {}, spec: Partial<PodSpec> = {}) => ({
  hostNetwork: true,
  ...spec,
  containers: [{ name: 'main', ports: [{ containerPort: port, ...more }] }],
});
const nginx = { protocol: 'TCP', port: 9100, program: 'nginx (process 7)' };
const taken = (who: string, on = '') => ({
  reason: 'HostPortConflict',
  message: `port 9100/TCP of the node${on} is taken by ${who}`,
});

describe('a port of the node', () => {
  test.each<[string, Pod[], TakenPort[], object | undefined]>([
    ['is free', [pod('a', false, listens(9100))], [], undefined],
    ['a process has it', [pod('a', false, listens(9100))], [nginx], taken('nginx (process 7)')],
    [
      'one that hides has it',
      [pod('a', false, listens(9100))],
      [{ protocol: 'TCP', port: 9100 }],
      taken('a program of the machine'),
    ],
    [
      'under another protocol it is another port',
      [pod('a', false, listens(9100))],
      [{ ...nginx, protocol: 'UDP' }],
      undefined,
    ],
    [
      'on another address as well',
      [pod('a', false, listens(9100, { hostIP: '10.0.0.1' }))],
      [{ ...nginx, ip: '10.0.0.2' }],
      undefined,
    ],
    [
      'not when one of them is every address',
      [pod('a', false, listens(9100, { hostIP: '10.0.0.1' }))],
      [nginx],
      taken('nginx (process 7)', ' on 10.0.0.1'),
    ],
    [
      'another pod names it',
      [pod('b', true, listens(9100)), pod('a', false, listens(9100))],
      [],
      taken('pod default/b-abcde'),
    ],
    [
      'also one that waits itself',
      [pod('b', false, listens(9100)), pod('a', false, listens(9100))],
      [],
      taken('pod default/b-abcde'),
    ],
    [
      'the pod it replaces has it',
      [pod('a', true, listens(9100)), pod('a', false, listens(9100))],
      [nginx],
      undefined,
    ],
    [
      'the pod it replaces has it without a word',
      [pod('a', true, listens(1)), pod('a', false, listens(9100))],
      [{ ...nginx, podUid: 'OWN' }],
      undefined,
    ],
    [
      'another pod has it without a word',
      [pod('b', true, listens(1)), pod('a', false, listens(9100))],
      [{ ...nginx, podUid: 'OTHER' }],
      taken('pod default/b-abcde, whose manifest does not name it'),
    ],
    [
      "a pod's own network has its own ports",
      [pod('a', false, listens(9100, {}, { hostNetwork: false }))],
      [nginx],
      undefined,
    ],
    [
      'but not those of the node',
      [pod('a', false, listens(80, { hostPort: 9100 }, { hostNetwork: false }))],
      [nginx],
      taken('nginx (process 7)'),
    ],
    [
      'of an init container it is not kept',
      [pod('a', false, { hostNetwork: true, initContainers: listens(9100).containers })],
      [nginx],
      undefined,
    ],
    ['what runs is not blocked back', [pod('a', true, listens(9100))], [nginx], undefined],
  ])('%s', (_what, pods, sockets, expected) => {
    const first = pods[0]?.record.uid ?? '';
    const found = sockets.map((one) => (one.podUid ? { ...one, podUid: first } : one));
    expect(blockOf(pods, found)).toEqual(expected);
  });
});
