// ConfigMaps and Secrets as pods use them: which ones a pod template names, and what they hold.
import type { Container } from '../schema/container.ts';
import type { PodSpec } from '../schema/pod.ts';
import type { Volume } from '../schema/volume.ts';
import { allContainers } from './pod-record.ts';

export type ConfigKind = 'ConfigMap' | 'Secret';

/** In the pod's own namespace. */
export interface ConfigRef {
  readonly kind: ConfigKind;
  readonly name: string;
}

interface Entries {
  readonly [key: string]: string;
}

/** The entries of one object. A ConfigMap's `data` is text; all else is base64. */
export interface ConfigData {
  readonly data?: Entries;
  readonly binaryData?: Entries;
}

/** `missing`: there is no such object. `untold`: nothing is known of it yet. */
export type ConfigLookup = (kind: ConfigKind, name: string) => ConfigData | 'missing' | 'untold';

export type Content = { readonly text: string } | { readonly base64: string };

/** Why a pod cannot have what it names, in the words of Kubernetes. */
export interface ConfigProblem {
  readonly message: string;
  /** It is only a matter of being told. */
  readonly untold?: true;
}

export const isProblem = (value: object): value is ConfigProblem => 'message' in value;

/** Each once, by kind and name. Volumes that no container mounts do not count. */
export function configRefs(spec: PodSpec): readonly ConfigRef[] {
  const containers = allContainers(spec);
  const all = [
    ...containers.flatMap(environmentRefs),
    ...mountedVolumes(spec).flatMap((volume) => volumeRefs(volume)),
  ];
  const unique = new Map(
    all.filter(({ name }) => name !== '').map((ref) => [`${ref.kind}/${ref.name}`, ref]),
  );
  return [...unique].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, ref]) => ref);
}

/** The Secrets that the pod's images are pulled with: no part of what the pod itself sees. */
export const pullSecretRefs = ({ imagePullSecrets = [] }: PodSpec): readonly ConfigRef[] =>
  [...new Set(imagePullSecrets.map(({ name }) => name ?? ''))]
    .filter((name) => name !== '')
    .map((name) => ref('Secret', name));

/** Kubernetes sets up no others. */
export function mountedVolumes(spec: PodSpec): readonly Volume[] {
  const containers = allContainers(spec);
  const names = new Set(containers.flatMap(({ volumeMounts = [] }) => volumeMounts.map(({ name }) => name)));
  return (spec.volumes ?? []).filter(({ name }) => names.has(name));
}

const ref = (kind: ConfigKind, name: string | undefined): ConfigRef => ({ kind, name: name ?? '' });

const environmentRefs = ({ env = [], envFrom = [] }: Container): ConfigRef[] => [
  ...envFrom.flatMap(({ configMapRef, secretRef }) => [
    ...(configMapRef ? [ref('ConfigMap', configMapRef.name)] : []),
    ...(secretRef ? [ref('Secret', secretRef.name)] : []),
  ]),
  ...env.flatMap(({ valueFrom }) => [
    ...(valueFrom?.configMapKeyRef ? [ref('ConfigMap', valueFrom.configMapKeyRef.name)] : []),
    ...(valueFrom?.secretKeyRef ? [ref('Secret', valueFrom.secretKeyRef.name)] : []),
  ]),
];

const volumeRefs = ({ configMap, secret, projected }: Volume): ConfigRef[] => [
  ...(configMap ? [ref('ConfigMap', configMap.name)] : []),
  ...(secret ? [ref('Secret', secret.secretName)] : []),
  ...(projected?.sources ?? []).flatMap((source) => [
    ...(source.configMap ? [ref('ConfigMap', source.configMap.name)] : []),
    ...(source.secret ? [ref('Secret', source.secret.name)] : []),
  ]),
];

/** All entries of an object; a ConfigMap's texts and bytes share their keys. */
export function contentsOf(
  kind: ConfigKind,
  { data = {}, binaryData = {} }: ConfigData,
): ReadonlyMap<string, Content> {
  const first = Object.entries(data).map(([key, value]): [string, Content] => [
    key,
    kind === 'ConfigMap' ? { text: value } : { base64: value },
  ]);
  return new Map([
    ...first,
    ...Object.entries(binaryData).map(([key, base64]): [string, Content] => [key, { base64 }]),
  ]);
}

/** The object, or undefined when it is missing and may be. */
export function findConfig(
  lookup: ConfigLookup,
  kind: ConfigKind,
  name: string,
  optional: boolean | undefined,
): ConfigData | ConfigProblem | undefined {
  const found = lookup(kind, name);
  if (found === 'untold')
    return {
      message: `${kind.toLowerCase()} ${JSON.stringify(name)} has not come from the plane yet`,
      untold: true,
    };
  if (found !== 'missing') return found;
  return optional ? undefined : { message: `${kind.toLowerCase()} ${JSON.stringify(name)} not found` };
}
