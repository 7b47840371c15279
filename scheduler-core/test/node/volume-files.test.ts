// Proves which files a volume holds, with which modes, and what keeps it from being filled; and what a pod names.
import type { TokenLookup } from '@fleetset/scheduler-core/node/account-tokens';
import { configRefs, isProblem } from '@fleetset/scheduler-core/node/config-data';
import {
  isConfigVolume,
  memoryVolumeBytes,
  volumeFiles,
  volumeMedium,
} from '@fleetset/scheduler-core/node/volume-files';
import type { PodSpec } from '@fleetset/scheduler-core/schema/pod';
import type { Volume } from '@fleetset/scheduler-core/schema/volume';
import { describe, expect, test } from 'vitest';
import { lookup, POD } from './config-facts.ts';

const spec = { containers: [{ name: 'main', resources: { limits: { cpu: '2' } } }] };

/** "path mode content", or the problem. */
function filesOf(source: Omit<Volume, 'name'>) {
  const made = volumeFiles(
    { name: 'v', ...source },
    { spec, pod: POD, config: lookup, tokens: () => 'untold' },
  );
  if (isProblem(made)) return made.message;
  return made
    .map(
      ({ path, mode, content }) =>
        `${path} ${mode.toString(8)} ${'text' in content ? content.text : `base64 ${content.base64}`}`,
    )
    .sort();
}

describe('a token in a volume', () => {
  const source: Volume['projected'] = {
    defaultMode: 0o644,
    sources: [{ serviceAccountToken: { path: 'token', audience: 'vault' } }],
  };
  const tokenOf = (over: Partial<PodSpec>, tokens: TokenLookup = () => ({ token: 'abc' }), name = 'v') =>
    volumeFiles(
      { name, projected: source },
      { spec: { containers: [{ name: 'a' }, { name: 'b' }], ...over }, pod: POD, config: lookup, tokens },
    );
  const file = (mode: number, user?: number) => [
    { path: 'token', mode, ...(user === undefined ? {} : { user }), content: { text: 'abc' } },
  ];
  const as = (...users: (number | undefined)[]) => ({
    containers: users.map((user, index) => ({
      name: `c${index}`,
      ...(user === undefined ? {} : { securityContext: { runAsUser: user } }),
    })),
  });

  test.each<[string, Partial<PodSpec>, object]>([
    ['is for everybody', {}, file(0o644)],
    ['is for whom the pod runs as', { securityContext: { runAsUser: 1000 } }, file(0o600, 1000)],
    ['or for whom all its containers do', as(7, 7), file(0o600, 7)],
    ['is for everybody when they differ', as(7, 8), file(0o644)],
    ['or one does not say', as(7, undefined), file(0o644)],
    ['is for the group where there is one, and root', { securityContext: { fsGroup: 5 } }, file(0o600)],
  ])('%s', (_case, over, files) => {
    expect(tokenOf(over)).toEqual(files);
  });

  test('is the one for its audience and time, by default the hour of Kubernetes', () => {
    const asked: object[] = [];
    tokenOf({}, (ref) => {
      asked.push(ref);
      return { token: 'abc' };
    });
    expect(asked).toEqual([{ audience: 'vault', expirationSeconds: 3600 }]);
  });

  test('is waited for, but by a pod that nobody asked one for only while the plane is there', () => {
    const waiting = {
      message: 'the token of the service account has not come from the plane yet',
      untold: true,
    };
    expect(tokenOf({}, () => 'untold')).toEqual(waiting);
    expect(tokenOf({}, () => 'none')).toEqual(waiting);
    expect(tokenOf({}, () => 'untold', 'kube-api-access-abcde')).toEqual(waiting);
    expect(tokenOf({}, () => 'none', 'kube-api-access-abcde')).toEqual([]);
  });
});

describe('a volume', () => {
  test.each<[string, Omit<Volume, 'name'>, string[] | string]>([
    [
      'of a ConfigMap has a file for each entry, of bytes too',
      { configMap: { name: 'app', defaultMode: 0o644 } },
      ['a.conf 644 x=$(name)', 'level 644 debug', 'logo 644 base64 AAE=', 'name 644 app'],
    ],
    [
      'of a Secret likewise, with the mode that is asked for',
      { secret: { secretName: 'login', defaultMode: 0o400 } },
      ['password 400 base64 czNjcmV0', 'user 400 base64 cm9vdA=='],
    ],
    ['of an empty object has none', { configMap: { name: 'empty' } }, []],
    [
      'with items has those, where they say and with a mode of their own',
      {
        configMap: {
          name: 'app',
          items: [
            { key: 'level', path: 'log/level', mode: 0o600 },
            { key: 'level', path: 'again' },
          ],
        },
      },
      ['again 644 debug', 'log/level 600 debug'],
    ],
    ['of what is not there cannot be filled', { configMap: { name: 'none' } }, 'configmap "none" not found'],
    ['nor of a Secret that is not', { secret: { secretName: 'none' } }, 'secret "none" not found'],
    [
      'nor with an item that is not',
      { configMap: { name: 'app', items: [{ key: 'x', path: 'x' }] } },
      'configmap references non-existent config key: x',
    ],
    [
      'nor with one of a Secret that is not',
      { secret: { secretName: 'login', items: [{ key: 'x', path: 'x' }] } },
      'references non-existent secret key: x',
    ],
    ['that is optional is empty then', { configMap: { name: 'none', optional: true } }, []],
    [
      'or has the items that are there',
      {
        secret: {
          secretName: 'login',
          optional: true,
          items: [
            { key: 'x', path: 'x' },
            { key: 'user', path: 'u' },
          ],
        },
      },
      ['u 644 base64 cm9vdA=='],
    ],
    [
      'of the downward API tells of the pod',
      {
        downwardAPI: {
          items: [
            { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
            { path: 'notes', fieldRef: { fieldPath: 'metadata.annotations' } },
            { path: 'app', fieldRef: { fieldPath: "metadata.labels['app']" }, mode: 0o600 },
            { path: 'cpu', resourceFieldRef: { containerName: 'main', resource: 'limits.cpu' } },
          ],
        },
      },
      [
        'app 600 web',
        'cpu 644 2',
        'labels 644 app="web"\ncontroller-revision-hash="r1"',
        'notes 644 Example.org/Owner="me"\nnote="a \\"quoted\\"\\nline\\t\\\\"\nodd="ü 日本 😀\\x7f\\u0085\\u00a0\\U000e0001"',
      ],
    ],
    [
      'that is projected holds all of its sources, the last of one path',
      {
        projected: {
          defaultMode: 0o440,
          sources: [
            { configMap: { name: 'app', items: [{ key: 'level', path: 'level' }] } },
            { configMap: { name: 'more', items: [{ key: 'level', path: 'level' }] } },
            { secret: { name: 'login', items: [{ key: 'user', path: 'who', mode: 0o400 }] } },
            { downwardAPI: { items: [{ path: 'pod', fieldRef: { fieldPath: 'metadata.name' } }] } },
            { secret: { name: 'none', optional: true } },
          ],
        },
      },
      ['level 440 info', 'pod 440 web-abcde', 'who 400 base64 cm9vdA=='],
    ],
    [
      'is not filled at all without one of them',
      { projected: { sources: [{ configMap: { name: 'app' } }, { secret: { name: 'none' } }] } },
      'secret "none" not found',
    ],
  ])('%s', (_sentence, source, wanted) => {
    expect(filesOf(source)).toEqual(wanted);
  });

  test('of what was not told yet waits, optional or not', () => {
    expect(filesOf({ configMap: { name: 'new', optional: true } })).toContain('has not come from the plane');
  });
});

test.each<[Omit<Volume, 'name'>, string, boolean]>([
  [{ hostPath: { path: '/' } }, 'host', false],
  [{ emptyDir: {} }, 'disk', false],
  [{ emptyDir: { medium: 'Memory' } }, 'memory', false],
  [{ configMap: { name: 'a' } }, 'disk', true],
  [{ secret: { secretName: 'a' } }, 'memory', true],
  [{ downwardAPI: {} }, 'memory', true],
  [{ projected: { sources: [] } }, 'memory', true],
])('%j lies on/in the %s; filled by the agent: %s', (source, medium, filled) => {
  const volume = { name: 'v', ...source };
  expect([volumeMedium(volume), isConfigVolume(volume)]).toEqual([medium, filled]);
});

describe('an emptyDir in memory', () => {
  const GIB = 2 ** 30;
  const size = (sizeLimit: string | undefined, ...limits: (string | undefined)[]) =>
    memoryVolumeBytes(
      { name: 'v', emptyDir: { medium: 'Memory', ...(sizeLimit ? { sizeLimit } : {}) } },
      {
        containers: limits.map((memory, index) => ({
          name: `c${index}`,
          ...(memory ? { resources: { limits: { memory } } } : {}),
        })),
      },
      8 * GIB,
    );
  test.each([
    ['may fill what the node has', size(undefined, undefined), 8 * GIB],
    ['or what it may itself', size('1Gi', undefined), GIB],
    ['or what the pod may, when all its containers have limits', size('3Gi', '1Gi', '1Gi'), 2 * GIB],
    ['which one without a limit has not', size('3Gi', '1Gi', undefined), 3 * GIB],
  ])('%s', (_sentence, made, wanted) => {
    expect(made).toBe(wanted);
  });
  test('init containers count, which run alone', () => {
    const of = (name: string, memory?: string) => ({ name, resources: { limits: memory ? { memory } : {} } });
    const inMemory = { name: 'v', emptyDir: { medium: 'Memory' } };
    const containers = [of('main', '1Gi')];
    const most = (memory?: string) =>
      memoryVolumeBytes(inMemory, { initContainers: [of('init', memory)], containers }, 8 * GIB);
    expect([most('2Gi'), most('1Gi'), most()]).toEqual([2 * GIB, GIB, 8 * GIB]);
  });
});

test('a pod names what its environments and its mounted volumes take from, each once', () => {
  const refs = configRefs({
    containers: [
      {
        name: 'a',
        envFrom: [{ configMapRef: { name: 'one' } }, { secretRef: { name: 'two' } }],
        env: [
          { name: 'A', valueFrom: { configMapKeyRef: { name: 'three', key: 'k' } } },
          { name: 'B', valueFrom: { secretKeyRef: { name: 'four', key: 'k', optional: true } } },
          { name: 'C', valueFrom: { configMapKeyRef: { name: 'one', key: 'k' } } },
        ],
        volumeMounts: ['v', 'w', 'x'].map((name) => ({ name, mountPath: `/${name}` })),
      },
    ],
    volumes: [
      { name: 'v', configMap: { name: 'five' } },
      { name: 'w', secret: { secretName: 'six' } },
      {
        name: 'x',
        projected: { sources: [{ configMap: { name: 'seven' } }, { secret: { name: 'eight' } }] },
      },
      { name: 'unused', secret: { secretName: 'nine' } },
    ],
  });
  expect(refs.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
    'ConfigMap five',
    'ConfigMap one',
    'ConfigMap seven',
    'ConfigMap three',
    'Secret eight',
    'Secret four',
    'Secret six',
    'Secret two',
  ]);
});
