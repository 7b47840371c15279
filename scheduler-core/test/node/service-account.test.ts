// What a pod is given of its ServiceAccount: who gets the volume, what is in it, and when its token is renewed.
import { renewAfterMs, tokenRefs } from '@fleetset/scheduler-core/node/account-tokens';
import { configRefs } from '@fleetset/scheduler-core/node/config-data';
import { accountName, mountsAccount, withAccount } from '@fleetset/scheduler-core/node/service-account';
import type { PodSpec } from '@fleetset/scheduler-core/schema/pod';
import { describe, expect, test } from 'vitest';

const DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount';
const mountsOf = ({ initContainers = [], containers }: PodSpec) =>
  [...initContainers, ...containers].map(({ volumeMounts = [] }) =>
    volumeMounts.map(({ name, mountPath, readOnly = false }) => `${name} ${mountPath} ${readOnly}`),
  );
const admit = (spec: PodSpec): PodSpec =>
  withAccount({ spec }, { accountVolume: 'kube-api-access-abcde' }).spec ?? { containers: [] };

describe('the account of a pod', () => {
  test.each<[string, Partial<PodSpec>, string]>([
    ['is the one it names', { serviceAccountName: 'bot' }, 'bot'],
    ['may be named by the old field', { serviceAccount: 'old' }, 'old'],
    ['is by the new field where both are set', { serviceAccountName: 'bot', serviceAccount: 'old' }, 'bot'],
    ['is the default one otherwise', {}, 'default'],
  ])('%s', (_case, spec, name) => {
    expect(accountName({ containers: [], ...spec })).toBe(name);
  });

  test.each<[string, boolean | undefined, boolean | undefined, boolean]>([
    ['both are silent', undefined, undefined, true],
    ['the account says no', undefined, false, false],
    ['the pod says yes against the account', true, false, true],
    ['the pod says no against the account', false, true, false],
  ])('is mounted or not when %s', (_case, pod, account, mounts) => {
    const spec = { containers: [], ...(pod === undefined ? {} : { automountServiceAccountToken: pod }) };
    expect(mountsAccount(spec, account === undefined ? {} : { automount: account })).toBe(mounts);
  });
});

describe('the volume', () => {
  test('is mounted into every container, init containers too, and holds what programs look for', () => {
    const spec = admit({ initContainers: [{ name: 'init' }], containers: [{ name: 'a' }, { name: 'b' }] });
    const mount = `kube-api-access-abcde ${DIRECTORY} true`;
    expect(mountsOf(spec)).toEqual([[mount], [mount], [mount]]);
    expect(spec.volumes).toEqual([
      {
        name: 'kube-api-access-abcde',
        projected: {
          defaultMode: 420,
          sources: [
            { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
            { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
            {
              downwardAPI: {
                items: [
                  { path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } },
                ],
              },
            },
          ],
        },
      },
    ]);
    expect(configRefs(spec)).toEqual([{ kind: 'ConfigMap', name: 'kube-root-ca.crt' }]);
    expect(tokenRefs(spec)).toEqual([{ audience: '', expirationSeconds: 3607 }]);
  });

  test('is left out where a container has something of its own there', () => {
    const own = { name: 'own', mountPath: DIRECTORY };
    const volumes = [{ name: 'own', emptyDir: {} }];
    const both = admit({
      containers: [{ name: 'a', volumeMounts: [own] }, { name: 'b' }],
      volumes,
    });
    expect(mountsOf(both)).toEqual([[`own ${DIRECTORY} false`], [`kube-api-access-abcde ${DIRECTORY} true`]]);
    const alone: PodSpec = { containers: [{ name: 'a', volumeMounts: [own] }], volumes };
    expect(admit(alone)).toEqual(alone);
  });

  test('is the one of a manifest that was made from a pod', () => {
    const before = { name: 'kube-api-access-zzzzz', projected: { sources: [] } };
    const spec = admit({ containers: [{ name: 'a' }], volumes: [before] });
    expect(spec.volumes).toEqual([before]);
    expect(mountsOf(spec)).toEqual([[`kube-api-access-zzzzz ${DIRECTORY} true`]]);
  });
});

describe('tokens of a pod', () => {
  test('are one for each audience and time, of volumes that are mounted', () => {
    const token = (audience?: string, expirationSeconds?: number) => ({
      serviceAccountToken: {
        path: 'token',
        ...(audience === undefined ? {} : { audience }),
        ...(expirationSeconds === undefined ? {} : { expirationSeconds }),
      },
    });
    const spec: PodSpec = {
      containers: [
        {
          name: 'a',
          volumeMounts: [
            { name: 'v', mountPath: '/v' },
            { name: 'w', mountPath: '/w' },
          ],
        },
      ],
      volumes: [
        { name: 'v', projected: { sources: [token('vault', 600), token()] } },
        { name: 'w', projected: { sources: [token('vault', 600)] } },
        { name: 'nobodys', projected: { sources: [token('other')] } },
      ],
    };
    expect(tokenRefs(spec)).toEqual([
      { audience: 'vault', expirationSeconds: 600 },
      { audience: '', expirationSeconds: 3600 },
    ]);
  });

  test.each([600, 3607, 86_400, 30 * 86_400])('are renewed well before 80 %% of %d s are over', (seconds) => {
    // A node loop goes round once a minute at the latest.
    const latest = renewAfterMs(seconds * 1000, 1) + 60_000;
    expect(latest).toBeLessThan(0.8 * seconds * 1000);
    expect(renewAfterMs(seconds * 1000, 0)).toBeGreaterThan(0.4 * Math.min(seconds, 86_400) * 1000);
  });
});

describe('the pull secrets of the account', () => {
  const given = (spec: PodSpec, ...pullSecrets: string[]) =>
    withAccount({ spec }, { pullSecrets }).spec?.imagePullSecrets;

  test('are those of a pod that names none', () => {
    expect(given({ containers: [] }, 'a', 'b')).toEqual([{ name: 'a' }, { name: 'b' }]);
    expect(given({ containers: [], imagePullSecrets: [] }, 'a')).toEqual([{ name: 'a' }]);
  });

  test('are not added to those that a pod names', () => {
    expect(given({ containers: [], imagePullSecrets: [{ name: 'own' }] }, 'a')).toEqual([{ name: 'own' }]);
  });
});
