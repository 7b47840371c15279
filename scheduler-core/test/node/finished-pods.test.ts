// Proves what becomes of pods that have ended (rules 19 to 21) and which the node does not take at all (rule 10).
import { admitPod } from '@fleetset/scheduler-core/node/admit-pod';
import {
  type FailedPodBackOff,
  judgeFinished,
  type PodEnd,
} from '@fleetset/scheduler-core/node/finished-pods';
import { type NodeInput, planNode } from '@fleetset/scheduler-core/node/plan-node';
import type { PlannedPod, SeenContainer } from '@fleetset/scheduler-core/node/pod-record';
import { podStatus } from '@fleetset/scheduler-core/node/pod-status';
import type { Taint } from '@fleetset/scheduler-core/schema/scheduling';
import { describe, expect, test } from 'vitest';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const NOW = 10_000_000;
const FAILED: PodEnd = { phase: 'Failed', reason: 'PodOSNotSupported', message: 'for windows' };
const SUCCEEDED: PodEnd = { phase: 'Succeeded', reason: '', message: '' };
/** The last deletion was so long ago, and this long is to be waited after it. */
const deleted = (agoMs: number, waitMs: number, generation = 'r2'): FailedPodBackOff => ({
  generation,
  waitMs,
  deletedAt: NOW - agoMs,
});

describe('rule 20: a failed pod is deleted', () => {
  test.each<[string, FailedPodBackOff | undefined, string]>([
    ['at once the first time', undefined, 'now, then 1 s'],
    ['not before a second has passed since the last deletion', deleted(999, SECOND), 'in 1 ms'],
    ['when the second has passed, and then after twice as long', deleted(SECOND, SECOND), 'now, then 2 s'],
    ['after 8 s, then 16 s', deleted(9 * SECOND, 8 * SECOND), 'now, then 16 s'],
    ['never later than after 15 min', deleted(15 * MINUTE, 10 * MINUTE), 'now, then 900 s'],
    ['every 15 min in the end', deleted(15 * MINUTE, 15 * MINUTE), 'now, then 900 s'],
    [
      'as for the first time when the last was over 30 min ago',
      deleted(30 * MINUTE + 1, 15 * MINUTE),
      'now, then 1 s',
    ],
    ['and at 30 min it is still remembered', deleted(30 * MINUTE, 15 * MINUTE), 'now, then 900 s'],
    ['as for the first time when another revision is wanted', deleted(10, 8 * SECOND, 'r1'), 'now, then 1 s'],
  ])('%s', (_, before, expected) => {
    const verdict = judgeFinished(FAILED, before, 'r2', NOW);
    expect(
      verdict.discard
        ? `now, then ${Number(verdict.backOff?.waitMs) / 1000} s`
        : `in ${verdict.until - NOW} ms`,
    ).toBe(expected);
    if (verdict.discard) expect(verdict.backOff).toMatchObject({ generation: 'r2', deletedAt: NOW });
  });
});

test('rule 21: one that succeeded is deleted at once, and leaves no back-off', () => {
  for (const before of [undefined, deleted(10, 15 * MINUTE)])
    expect(judgeFinished(SUCCEEDED, before, 'r2', NOW)).toEqual({ discard: true });
});

describe('rule 10: what a node does not take', () => {
  const spec = (os?: string) => ({ containers: [], ...(os ? { os: { name: os } } : {}) });
  test.each<[string, string | undefined, string, string | undefined]>([
    ['a pod for another system', 'windows', 'linux', 'PodOSNotSupported'],
    ['one for this system is taken', 'linux', 'linux', undefined],
    ['one that does not say is taken', undefined, 'linux', undefined],
    ['and so by a node of another system', undefined, 'windows', undefined],
  ])('%s', (_, wanted, os, reason) => {
    expect(admitPod(spec(wanted), { os })?.reason).toBe(reason);
  });
});

describe('rule 10: a sysctl that is not safe', () => {
  const spec = (...names: string[]) => ({
    containers: [],
    securityContext: { sysctls: names.map((name) => ({ name, value: '1' })) },
  });
  test.each<[string, string, readonly string[], string | undefined]>([
    ['is forbidden', 'net.core.somaxconn', [], 'net.core.somaxconn'],
    ['is told with dots', 'net/core/somaxconn', ['kernel.*'], 'net.core.somaxconn'],
    ['is taken where it is allowed', 'net.core.somaxconn', ['net.core.somaxconn'], undefined],
    ['is taken where names that begin so are', 'net.core.somaxconn', ['kernel.shm*', 'net.*'], undefined],
    [
      'is not by the beginning of a name without a star',
      'net.core.somaxconn',
      ['net.core'],
      'net.core.somaxconn',
    ],
    ['is compared with dots', 'net/ipv4/conf/eth0.100/forwarding', ['net.ipv4.conf.eth0/100.*'], undefined],
    ['is nothing to a node when it is safe', 'net.ipv4.tcp_syncookies', [], undefined],
    ['is nothing to a node when it is safe, with slashes too', 'kernel/shm_rmid_forced', [], undefined],
  ])('%s: %s, where %j is allowed', (_, name, allowedUnsafeSysctls, forbidden) => {
    const rejection = admitPod(spec('net.ipv4.tcp_fin_timeout', name), { os: 'linux', allowedUnsafeSysctls });
    expect(rejection).toEqual(
      forbidden && {
        reason: 'SysctlForbidden',
        message: `Pod was rejected: forbidden sysctl: "${forbidden}" not allowlisted`,
      },
    );
  });
});

const template = (os?: string) => ({
  spec: {
    hostNetwork: true,
    containers: [{ name: 'main', image: 'i' }],
    ...(os ? { os: { name: os } } : {}),
  },
});
const pod = (uid: string, revision: string, more: Partial<PlannedPod> = {}): PlannedPod => ({
  record: {
    uid,
    name: `web-${uid}`,
    namespace: 'default',
    daemonSetUid: 'set',
    daemonSetName: 'web',
    revision,
    templateHash: revision,
    createdAt: `2026-01-01T00:00:0${uid === 'old' ? 0 : 1}Z`,
  },
  template: template(revision === 'bad' ? 'windows' : undefined),
  ...more,
});
const running = (podUid: string): SeenContainer => ({
  id: `${podUid}/main`,
  podUid,
  name: 'main',
  attempt: 0,
  state: 'running',
});
const plan = (
  granted: string,
  pods: readonly PlannedPod[],
  { surge = false, ...more }: Partial<NodeInput> & { readonly surge?: boolean } = {},
) =>
  planNode({
    now: NOW,
    node: { name: 'n', labels: {}, taints: [] },
    machine: { os: 'linux' },
    daemonSets: [
      {
        uid: 'set',
        namespace: 'default',
        name: 'web',
        rules: {},
        surge,
        granted: { revision: granted, templateHash: granted },
      },
    ],
    tombstones: new Map(),
    pods,
    containers: [],
    busy: new Map(),
    memory: new Map(),
    unhealthy: new Map(),
    ...more,
  });
/** Actions and buckets in words. */
const told = ({ actions, pods, nextAt }: ReturnType<typeof plan>) => [
  ...actions.map((action) => ('podUid' in action ? `${action.kind} ${action.podUid}` : action.kind)),
  ...pods.map(({ record, bucket }) => `${record.uid}: ${bucket}`),
  ...(nextAt === undefined ? [] : [`again in ${nextAt - NOW} ms`]),
];
const waiting = { failedPods: new Map([['set', deleted(0, SECOND, 'bad/bad')]]) };
const taint = (effect: string): Taint => ({ key: 'k', effect });

describe('a node', () => {
  test.each<[string, ReturnType<typeof plan>, string[]]>([
    [
      'rejects a pod before it makes anything of it',
      plan('bad', [pod('new', 'bad')]),
      ['reject new', 'new: run'],
    ],
    [
      'never leaves the pod that runs for one that it rejects',
      plan('bad', [pod('old', 'r1'), pod('new', 'bad')], { containers: [running('old')] }),
      ['reject new', 'old: run', 'new: prepare'],
    ],
    [
      'nor under a surge',
      plan('bad', [pod('old', 'r1'), pod('new', 'bad', { end: FAILED })], {
        containers: [running('old')],
        surge: true,
        ...waiting,
      }),
      ['old: run', 'new: over', 'again in 1000 ms'],
    ],
    [
      'keeps it while the failed one waits for its deletion, and makes no other',
      plan('bad', [pod('old', 'r1'), pod('new', 'bad', { end: FAILED })], {
        containers: [running('old')],
        ...waiting,
      }),
      ['old: run', 'new: over', 'again in 1000 ms'],
    ],
    [
      'deletes the failed one when the back-off is over',
      plan('bad', [pod('old', 'r1'), pod('new', 'bad', { end: FAILED })], { containers: [running('old')] }),
      ['discard new', 'old: run', 'new: over'],
    ],
    [
      'makes another once the deletion is announced (rule 19)',
      plan('bad', [pod('new', 'bad', { end: FAILED, ending: true })], waiting),
      ['bear', 'forget new', 'new: stop'],
    ],
    [
      'deletes a failed one at once when another revision is granted',
      plan('r1', [pod('old', 'r1'), pod('new', 'bad', { end: FAILED })], {
        containers: [running('old')],
        ...waiting,
      }),
      ['discard new', 'old: run', 'new: over'],
    ],
    [
      'deletes a failed one where no new pod is wanted, and makes none',
      plan('bad', [pod('new', 'bad', { end: FAILED })], {
        node: { name: 'n', labels: {}, taints: [taint('NoSchedule')] },
      }),
      ['discard new', 'new: over'],
    ],
    [
      'stops a failed one where the DaemonSet does not belong, whatever the back-off',
      plan('bad', [pod('new', 'bad', { end: FAILED })], {
        node: { name: 'n', labels: {}, taints: [taint('NoExecute')] },
        ...waiting,
      }),
      ['forget new', 'new: stop'],
    ],
    [
      'stops a failed one that somebody deletes',
      plan('bad', [pod('new', 'bad', { end: FAILED })], {
        tombstones: new Map([['new', undefined]]),
        ...waiting,
      }),
      ['bear', 'forget new', 'new: stop'],
    ],
    [
      'leaves a failed one whose DaemonSet was deleted without it',
      plan('r1', [pod('new', 'bad', { end: FAILED })], { daemonSets: [], orphans: new Set(['set']) }),
      ['new: over'],
    ],
    [
      'does not ask again of a pod that runs',
      plan('bad', [pod('new', 'bad')], { containers: [running('new')] }),
      ['new: run'],
    ],
    [
      'deletes one that succeeded, whatever the back-off (rule 21)',
      plan('r1', [pod('new', 'r1', { end: SUCCEEDED })], {
        failedPods: new Map([['set', deleted(0, MINUTE, 'r1/r1')]]),
      }),
      ['discard new', 'new: over'],
    ],
  ])('%s', (_, made, expected) => {
    expect(told(made)).toEqual(expected);
  });
});

test('a failed pod says so, and why, and is not ready', () => {
  const status = podStatus({
    spec: { containers: [{ name: 'main', image: 'i' }] },
    containers: [],
    createdAt: 'T0',
    end: FAILED,
    nowText: 'T1',
  });
  expect(status).toMatchObject({ phase: 'Failed', reason: 'PodOSNotSupported', message: 'for windows' });
  expect(status.conditions?.map(({ type, status: is }) => [type, is])).toEqual([
    ['PodScheduled', 'True'],
    ['Ready', 'False'],
    ['ContainersReady', 'False'],
  ]);
});
