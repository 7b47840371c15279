// Proves the environment of a container: where values come from, in which order, and what is missing (rules 106, 107).
import { type ApiEndpoint, composeEnvironment } from '@fleetset/scheduler-core/node/compose-environment';
import { isProblem } from '@fleetset/scheduler-core/node/config-data';
import { expandSubPath } from '@fleetset/scheduler-core/node/expand-variables';
import type { Container } from '@fleetset/scheduler-core/schema/container';
import { describe, expect, test } from 'vitest';
import { decodeAscii, lookup, POD } from './config-facts.ts';

function compose(over: Partial<Container>, api?: ApiEndpoint) {
  const container: Container = { name: 'main', ...over };
  const made = composeEnvironment({
    container,
    containers: [container, { name: 'side', resources: { limits: { memory: '64Mi' } } }],
    namespace: POD.namespace,
    pod: POD,
    config: lookup,
    ...(api ? { api } : {}),
    decode: decodeAscii,
  });
  return isProblem(made) ? made : Object.fromEntries(made);
}

const map = (name: string, key: string, optional?: boolean) => ({
  configMapKeyRef: { name, key, ...(optional === undefined ? {} : { optional }) },
});
const secret = (name: string, key: string, optional?: boolean) => ({
  secretKeyRef: { name, key, ...(optional === undefined ? {} : { optional }) },
});
const field = (fieldPath: string) => ({ fieldRef: { fieldPath } });
const all = (name: string, prefix?: string) => ({ configMapRef: { name }, ...(prefix ? { prefix } : {}) });

describe('the environment', () => {
  test('says where the API is, for what comes after to use or to say otherwise', () => {
    const env = [
      { name: 'URL', value: 'https://$(KUBERNETES_SERVICE_HOST):$(KUBERNETES_SERVICE_PORT)' },
      { name: 'KUBERNETES_SERVICE_HOST', value: 'own' },
    ];
    expect(compose({ env }, { host: '192.0.2.1', port: 6443 })).toEqual({
      KUBERNETES_SERVICE_HOST: 'own',
      KUBERNETES_SERVICE_PORT: '6443',
      KUBERNETES_SERVICE_PORT_HTTPS: '6443',
      URL: 'https://192.0.2.1:6443',
    });
  });

  test.each<[string, Partial<Container>, object]>([
    ['of nothing is empty', {}, {}],
    [
      'has values of ConfigMaps and Secrets',
      {
        env: [
          { name: 'A', valueFrom: map('app', 'level') },
          { name: 'B', valueFrom: secret('login', 'password') },
        ],
      },
      { A: 'debug', B: 's3cret' },
    ],
    [
      'rule 106: which are not expanded, but can be referred to',
      {
        env: [
          { name: 'A', valueFrom: map('app', 'a.conf') },
          { name: 'B', value: '<$(A)>' },
        ],
      },
      { A: 'x=$(name)', B: '<x=$(name)>' },
    ],
    [
      'has all entries of an object, texts only',
      { envFrom: [all('app')] },
      { level: 'debug', name: 'app', 'a.conf': 'x=$(name)' },
    ],
    ['under a prefix', { envFrom: [all('more', 'P_')] }, { P_level: 'info', P_extra: 'yes' }],
    [
      'rule 107: a later source wins over an earlier one',
      { envFrom: [all('app'), all('more')] },
      { level: 'info', name: 'app', 'a.conf': 'x=$(name)', extra: 'yes' },
    ],
    [
      'rule 107: and env over envFrom, whose values it can refer to',
      { envFrom: [all('more')], env: [{ name: 'level', value: 'not $(level)' }] },
      { level: 'not info', extra: 'yes' },
    ],
    [
      'has a whole Secret',
      { envFrom: [{ secretRef: { name: 'login' } }] },
      { password: 's3cret', user: 'root' },
    ],
    [
      'rule 107: what is missing and optional is left out',
      {
        envFrom: [
          { configMapRef: { name: 'none', optional: true } },
          { secretRef: { name: 'none', optional: true } },
        ],
        env: [
          { name: 'A', valueFrom: map('none', 'x', true) },
          { name: 'B', valueFrom: map('app', 'x', true) },
          { name: 'C', valueFrom: secret('login', 'x', true) },
          { name: 'D', value: '$(A)' },
        ],
      },
      { D: '$(A)' },
    ],
    [
      'keeps what it had of that name then',
      { envFrom: [all('more')], env: [{ name: 'extra', valueFrom: map('none', 'x', true) }] },
      { level: 'info', extra: 'yes' },
    ],
    [
      'bytes that are no text are no value',
      { env: [{ name: 'A', valueFrom: map('app', 'logo', true) }] },
      {},
    ],
    [
      'knows its pod and its node',
      {
        env: [
          { name: 'A', valueFrom: field('metadata.name') },
          { name: 'B', valueFrom: field('metadata.namespace') },
          { name: 'C', valueFrom: field('metadata.uid') },
          { name: 'D', valueFrom: field('spec.nodeName') },
          { name: 'E', valueFrom: field('spec.serviceAccountName') },
          { name: 'F', valueFrom: field('status.hostIP') },
          { name: 'G', valueFrom: field('status.hostIPs') },
          { name: 'H', valueFrom: field('status.podIP') },
          { name: 'I', valueFrom: field('status.podIPs') },
          { name: 'J', valueFrom: field("metadata.labels['app']") },
          { name: 'K', valueFrom: field("metadata.annotations['Example.org/Owner']") },
          { name: 'L', valueFrom: field("metadata.labels['none']") },
        ],
      },
      {
        A: 'web-abcde',
        B: 'prod',
        C: 'uid-1',
        D: 'node-1',
        E: 'default',
        F: '10.0.0.1',
        G: '10.0.0.1',
        H: '172.17.0.2',
        I: '172.17.0.2',
        J: 'web',
        K: 'me',
        L: '',
      },
    ],
  ])('%s', (_sentence, container, wanted) => {
    expect(compose(container)).toEqual(wanted);
  });

  test.each<[string, Partial<Container>, string]>([
    ['a ConfigMap', { envFrom: [all('none')] }, 'configmap "none" not found'],
    ['a Secret', { envFrom: [{ secretRef: { name: 'none' } }] }, 'secret "none" not found'],
    [
      'a ConfigMap of one value',
      { env: [{ name: 'A', valueFrom: map('none', 'x') }] },
      'configmap "none" not found',
    ],
    [
      'a key of a ConfigMap',
      { env: [{ name: 'A', valueFrom: map('app', 'x') }] },
      "couldn't find key x in ConfigMap prod/app",
    ],
    [
      'a key of a Secret',
      { env: [{ name: 'A', valueFrom: secret('login', 'x') }] },
      "couldn't find key x in Secret prod/login",
    ],
    [
      'a container whose resources are asked for',
      {
        env: [
          { name: 'A', valueFrom: { resourceFieldRef: { containerName: 'none', resource: 'limits.cpu' } } },
        ],
      },
      'unable to find container "none"',
    ],
  ])('rule 107: without %s the container cannot be made', (_what, container, message) => {
    expect(compose(container)).toEqual({ message });
  });

  test('what was not told yet is only waited for, optional or not', () => {
    const env = [{ name: 'A', valueFrom: map('new', 'x', true) }];
    expect(compose({ env })).toMatchObject({ untold: true, message: expect.stringContaining('"new"') });
  });
});

describe('resources of a container', () => {
  const resources = { limits: { cpu: '1500m', memory: '100Mi' }, requests: { cpu: '250m' } };
  const value = (resource: string, more: object = {}, own: Container['resources'] = resources) => {
    const valueFrom = { resourceFieldRef: { resource, ...more } };
    return compose({ env: [{ name: 'A', valueFrom }], ...(own ? { resources: own } : {}) });
  };
  test.each<[string, unknown, string]>([
    ['rounded up to whole cores', value('limits.cpu'), '2'],
    ['in thousandths', value('limits.cpu', { divisor: '1m' }), '1500'],
    ['a request', value('requests.cpu', { divisor: '1m' }), '250'],
    ['in bytes', value('limits.memory'), String(100 * 2 ** 20)],
    ['in mebibytes', value('limits.memory', { divisor: '1Mi' }), '100'],
    ['in megabytes, rounded up', value('limits.memory', { divisor: '1M' }), '105'],
    ['a divisor of 0 is none', value('limits.memory', { divisor: '0' }), String(100 * 2 ** 20)],
    ['rule 76: what is not requested is the limit', value('requests.memory', { divisor: '1Mi' }), '100'],
    ['nothing requested is 0', value('requests.cpu', {}, {}), '0'],
    ['without a limit it is what the node has', value('limits.cpu', {}, {}), '4'],
    ['and a limit of 0 is none', value('limits.cpu', {}, { limits: { cpu: '0' } }), '4'],
    ['of memory too', value('limits.memory', { divisor: '1Gi' }, {}), '8'],
    ['and of disk', value('limits.ephemeral-storage', { divisor: '1Gi' }, {}), '1024'],
    ['of another container', value('limits.memory', { containerName: 'side', divisor: '1Mi' }), '64'],
  ])('%s', (_sentence, made, text) => {
    expect(made).toEqual({ A: text });
  });
});

describe('rule 108: a path in a volume', () => {
  const values = new Map([
    ['POD', 'web-abcde'],
    ['EMPTY', ''],
    ['ROOT', '/etc'],
    ['UP', '../..'],
  ]);
  test.each<[string, string, string | object]>([
    ['has its variables filled in', 'logs/$(POD)', 'logs/web-abcde'],
    ['may do without', 'logs', 'logs'],
    ['keeps what is no reference', 'a$$(POD)', 'a$(POD)'],
    ['needs a variable that is there', '$(NONE)', { message: 'missing value for "NONE"' }],
    ['and has a value', 'x$(EMPTY)', { message: 'missing value for "EMPTY"' }],
    ['is relative', '$(ROOT)/x', { message: 'error SubPath `/etc/x` must not be an absolute path' }],
    [
      'does not climb',
      'a/$(UP)',
      { message: "unable to provision SubPath `a/../..`: must not contain '..'" },
    ],
  ])('%s: %s', (_sentence, text, wanted) => {
    expect(expandSubPath(text, values)).toEqual(wanted);
  });
});
