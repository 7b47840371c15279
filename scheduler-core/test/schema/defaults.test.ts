// Proves the defaults of a DaemonSet, and that giving them twice is giving them once (rules 67, 74 and 75).
import { type DaemonSet, daemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import { defaultDaemonSet, defaultPullPolicy } from '@fleetset/scheduler-core/schema/daemon-set-defaults';
import { decode } from '@fleetset/scheduler-core/schema/decode';
import { validateDaemonSet } from '@fleetset/scheduler-core/validation/daemon-set';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Edit, edited, fullPath, MINIMAL, readDaemonSet } from '../manifest.ts';
import { holds, isCaught } from '../property.ts';
import { arbitraryOf } from './arbitrary.ts';

test('the least that a manifest can say becomes', () => {
  expect(readDaemonSet(MINIMAL)).toEqual({
    ...MINIMAL,
    spec: {
      ...MINIMAL.spec,
      revisionHistoryLimit: 10,
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
      template: {
        ...MINIMAL.spec.template,
        spec: {
          containers: [
            {
              name: 'main',
              image: 'web:1',
              imagePullPolicy: 'IfNotPresent',
              resources: {},
              terminationMessagePath: '/dev/termination-log',
              terminationMessagePolicy: 'File',
            },
          ],
          restartPolicy: 'Always',
          terminationGracePeriodSeconds: 30,
          dnsPolicy: 'ClusterFirst',
          securityContext: {},
          schedulerName: 'default-scheduler',
        },
      },
    },
  });
});

test('and is valid', () => {
  expect(validateDaemonSet(readDaemonSet(MINIMAL))).toEqual([]);
});

/** What the default makes of the field that was set. */
const defaulted = (edit: Edit): unknown =>
  fullPath(edit[0])
    .split('.')
    .reduce<unknown>(
      (value, key) => (value as { [key: string]: unknown } | undefined)?.[key],
      readDaemonSet(edited(MINIMAL, [edit])),
    );

const PROBE = { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 };

describe('rule 74: left out, or written as the zero value that Go cannot tell from it', () => {
  test.each<[Edit, unknown]>([
    [['main.livenessProbe', { exec: { command: ['a'] } }], { exec: { command: ['a'] }, ...PROBE }],
    [
      ['main.readinessProbe', { httpGet: { port: 80 } }],
      { httpGet: { port: 80, path: '/', scheme: 'HTTP' }, ...PROBE },
    ],
    [
      [
        'main.startupProbe',
        {
          tcpSocket: { port: 80 },
          timeoutSeconds: 0,
          periodSeconds: 0,
          successThreshold: 0,
          failureThreshold: 0,
        },
      ],
      { tcpSocket: { port: 80 }, ...PROBE },
    ],
    [['main.ports', [{ containerPort: 80 }]], [{ containerPort: 80, protocol: 'TCP' }]],
    [['main.ports', [{ containerPort: 80, protocol: '' }]], [{ containerPort: 80, protocol: 'TCP' }]],
    [['main.imagePullPolicy', ''], 'IfNotPresent'],
    [['pod.dnsPolicy', ''], 'ClusterFirst'],
    [['pod.restartPolicy', ''], 'Always'],
    [['pod.volumes', [{ name: 'v' }]], [{ name: 'v', emptyDir: {} }]],
    [
      ['pod.volumes', [{ name: 'v', hostPath: { path: '/x' } }]],
      [{ name: 'v', hostPath: { path: '/x', type: '' } }],
    ],
    [
      ['pod.volumes', [{ name: 'v', configMap: { name: 'c' } }]],
      [{ name: 'v', configMap: { name: 'c', defaultMode: 0o644 } }],
    ],
    [
      ['pod.volumes', [{ name: 'v', secret: { secretName: 's' } }]],
      [{ name: 'v', secret: { secretName: 's', defaultMode: 0o644 } }],
    ],
    [
      ['main.env', [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }]],
      [{ name: 'A', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } }],
    ],
    [
      ['spec.updateStrategy', { type: '' }],
      { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
    ],
  ])('%j', (edit, expected) => {
    expect(defaulted(edit)).toEqual(expected);
  });
});

describe('what is written stays, zeros too where Go can tell them from nothing', () => {
  test.each<Edit>([
    ['pod.terminationGracePeriodSeconds', 0],
    ['spec.revisionHistoryLimit', 0],
    ['pod.volumes', [{ name: 'v', configMap: { name: 'c', defaultMode: 0 } }]],
    ['spec.updateStrategy', { type: 'OnDelete' }],
    ['spec.updateStrategy', { type: 'Sometimes' }],
    ['main.resources', { limits: { cpu: '1' } }],
    ['pod.securityContext', { runAsUser: 0 }],
  ])('%s: %j', (...edit) => {
    expect(defaulted(edit)).toEqual(edit[1]);
  });
  test('rule 67: one half of rollingUpdate leaves the other its default', () => {
    const strategyWith = (rollingUpdate: unknown) => defaulted(['spec.updateStrategy', { rollingUpdate }]);
    expect(strategyWith({ maxUnavailable: '25%' })).toEqual({
      type: 'RollingUpdate',
      rollingUpdate: { maxUnavailable: '25%', maxSurge: 0 },
    });
    expect(strategyWith({ maxSurge: 1 })).toEqual({
      type: 'RollingUpdate',
      rollingUpdate: { maxUnavailable: 1, maxSurge: 1 },
    });
  });
});

describe('rule 75: the pull policy of', () => {
  const DIGEST = 'sha256:0123456789abcdef';
  test.each([
    ['web', 'Always'],
    ['web:latest', 'Always'],
    ['web:1.2', 'IfNotPresent'],
    ['registry:5000/web', 'Always'],
    ['registry:5000/web:1', 'IfNotPresent'],
    ['registry:5000/a/web:latest', 'Always'],
    [`web@${DIGEST}`, 'IfNotPresent'],
    [`web:1@${DIGEST}`, 'IfNotPresent'],
    [`web:latest@${DIGEST}`, 'Always'],
    [`registry:5000/web@${DIGEST}`, 'IfNotPresent'],
  ])('%s is %s', (image, policy) => {
    expect(defaultPullPolicy(image)).toBe(policy);
  });
});

describe('for any DaemonSet', () => {
  const idempotent = (giveDefaults: typeof defaultDaemonSet) =>
    fc.property(arbitraryOf(daemonSet), (json) => {
      const given = decode(daemonSet, json).value as DaemonSet;
      const before = JSON.stringify(given);
      const once = giveDefaults(given);
      expect(giveDefaults(once)).toEqual(once);
      expect(JSON.stringify(given)).toBe(before);
      expect(decode(daemonSet, once)).toEqual({ value: once, unknown: [], errors: [] });
    });
  test('defaults of the defaulted change nothing, and the given value is left as it was', () => {
    holds(idempotent(defaultDaemonSet), 300);
  });
  test('a mutant that counts what it adds is caught', () => {
    const eager = (given: DaemonSet): DaemonSet => {
      const filled = defaultDaemonSet(given);
      const { generation = 0, ...metadata } = filled.metadata ?? {};
      return { ...filled, metadata: { ...metadata, generation: generation + 1 } };
    };
    isCaught(idempotent(eager), 50);
  });
});
