// What a pod has of its ServiceAccount, as Kubernetes' admission plugin of that name adds it: a volume with a token, the
// CA's certificate and the namespace, where programs in a cluster look for them, and the Secrets its images are pulled
// with.
import type { Container } from '../schema/container.ts';
import type { PodSpec, PodTemplateSpec } from '../schema/pod.ts';
import type { Volume } from '../schema/volume.ts';
import { allContainers } from './pod-record.ts';

/** In every namespace; holds the CA's certificate. */
export const ROOT_CA = 'kube-root-ca.crt';
const ROOT_CA_KEY = 'ca.crt';

const DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount';
export const ACCOUNT_VOLUME_PREFIX = 'kube-api-access-';
/** Kubernetes' own: an hour, and recognisable. */
const TOKEN_SECONDS = 3607;

/** Without a say, a pod is its namespace's default account. */
export const accountName = (spec: PodSpec | undefined): string =>
  spec?.serviceAccountName || spec?.serviceAccount || 'default';

/** The pod has its way before the account. */
export const mountsAccount = (spec: PodSpec, account: { readonly automount?: boolean }): boolean =>
  spec.automountServiceAccountToken ?? account.automount ?? true;

/** Added by admission, not asked for by who wrote the manifest. */
export const isAccountVolume = ({ name }: Pick<Volume, 'name'>): boolean =>
  name.startsWith(ACCOUNT_VOLUME_PREFIX);

/** What was added when the pod was born. */
export interface GivenByAccount {
  /** The name of the volume; absent or empty: none. */
  readonly accountVolume?: string | undefined;
  readonly pullSecrets?: readonly string[] | undefined;
}

export function withAccount(template: PodTemplateSpec, given: GivenByAccount): PodTemplateSpec {
  const { accountVolume, pullSecrets = [] } = given;
  const mounted = accountVolume ? withAccountVolume(template, accountVolume) : template;
  return pullSecrets.length === 0 ? mounted : withPullSecrets(mounted, pullSecrets);
}

/** Those of the account are for pods that name none themselves. */
export const namesPullSecrets = ({ imagePullSecrets = [] }: PodSpec): boolean => imagePullSecrets.length > 0;

function withPullSecrets(template: PodTemplateSpec, names: readonly string[]): PodTemplateSpec {
  const { spec } = template;
  if (!spec || namesPullSecrets(spec)) return template;
  return { ...template, spec: { ...spec, imagePullSecrets: names.map((name) => ({ name })) } };
}

/** A container that has something of its own there keeps that. */
function withAccountVolume(template: PodTemplateSpec, volume: string): PodTemplateSpec {
  const { spec } = template;
  if (!spec || !allContainers(spec).some(lacksAccount)) return template;
  const own = spec.volumes?.find(isAccountVolume);
  const mount = (container: Container): Container =>
    lacksAccount(container)
      ? {
          ...container,
          volumeMounts: [
            ...(container.volumeMounts ?? []),
            { name: own?.name ?? volume, readOnly: true, mountPath: DIRECTORY },
          ],
        }
      : container;
  return {
    ...template,
    spec: {
      ...spec,
      volumes: own ? (spec.volumes ?? []) : [...(spec.volumes ?? []), accountVolume(volume)],
      ...(spec.initContainers ? { initContainers: spec.initContainers.map(mount) } : {}),
      containers: spec.containers.map(mount),
    },
  };
}

const lacksAccount = ({ volumeMounts = [] }: Container): boolean =>
  !volumeMounts.some(({ mountPath }) => mountPath === DIRECTORY);

const accountVolume = (name: string): Volume => ({
  name,
  projected: {
    defaultMode: 0o644,
    sources: [
      { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: 'token' } },
      { configMap: { name: ROOT_CA, items: [{ key: ROOT_CA_KEY, path: ROOT_CA_KEY }] } },
      {
        downwardAPI: {
          items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
        },
      },
    ],
  },
});

/** The entries of the ConfigMap ROOT_CA. */
export const rootCaData = (certificate: string) => ({ [ROOT_CA_KEY]: certificate });
