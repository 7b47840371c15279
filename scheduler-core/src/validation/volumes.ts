// Volumes of a pod template: a name, one source, and what each source may say.
import { parseQuantity } from '../quantity.ts';
import type { Volume } from '../schema/volume.ts';
import { VOLUME_FIELDS, validateFieldRef, validateResourceRef } from './config-sources.ts';
import {
  checked,
  duplicate,
  type FieldError,
  forbidden,
  invalid,
  notSupported,
  required,
} from './field-error.ts';
import { dnsLabelProblem } from './names.ts';

export const HOST_PATH_TYPES = [
  '',
  'DirectoryOrCreate',
  'Directory',
  'FileOrCreate',
  'File',
  'Socket',
  'CharDevice',
  'BlockDevice',
] as const;

export function validateVolumes(field: string, volumes: readonly Volume[]): FieldError[] {
  const names = volumes.map(({ name }) => name);
  return volumes.flatMap((volume, index) => {
    const at = `${field}[${index}]`;
    const [source, ...more] = Object.keys(volume).filter((key) => key !== 'name');
    return [
      ...(volume.name ? checked(`${at}.name`, volume.name, dnsLabelProblem) : [required(`${at}.name`)]),
      ...(names.indexOf(volume.name) < index ? [duplicate(`${at}.name`, volume.name)] : []),
      ...(source === undefined ? [required(at, 'must specify a volume type')] : []),
      ...more.map((extra) => forbidden(`${at}.${extra}`, 'may not specify more than 1 volume type')),
      ...validateHostPath(`${at}.hostPath`, volume.hostPath),
      ...validateEmptyDir(`${at}.emptyDir`, volume.emptyDir),
      ...validateNamed(`${at}.configMap`, 'name', volume.configMap?.name, volume.configMap),
      ...validateNamed(`${at}.secret`, 'secretName', volume.secret?.secretName, volume.secret),
      ...validateDownward(`${at}.downwardAPI`, volume.downwardAPI),
      ...validateProjected(`${at}.projected`, volume.projected),
    ];
  });
}

function validateHostPath(at: string, hostPath: Volume['hostPath']): FieldError[] {
  if (!hostPath) return [];
  const { path, type = '' } = hostPath;
  return [
    ...(path ? [] : [required(`${at}.path`)]),
    ...(path?.split('/').includes('..') ? [invalid(`${at}.path`, path, "must not contain '..'")] : []),
    ...((HOST_PATH_TYPES as readonly string[]).includes(type)
      ? []
      : [notSupported(`${at}.type`, type, HOST_PATH_TYPES)]),
  ];
}

const validateEmptyDir = (at: string, emptyDir: Volume['emptyDir']): FieldError[] =>
  (parseQuantity(emptyDir?.sizeLimit ?? '0')?.nano ?? 0n) < 0n
    ? [forbidden(`${at}.sizeLimit`, 'SizeLimit field must be a valid resource quantity')]
    : [];

interface KeyToPath {
  readonly key: string;
  readonly path: string;
  readonly mode?: number;
}

interface Files {
  readonly items?: readonly KeyToPath[];
  readonly defaultMode?: number;
}

function validateNamed(at: string, field: string, name: string | undefined, files?: Files): FieldError[] {
  if (!files) return [];
  return [
    ...(name ? [] : [required(`${at}.${field}`)]),
    ...fileMode(`${at}.defaultMode`, files.defaultMode),
    ...validateItems(`${at}.items`, files.items),
  ];
}

const validateItems = (field: string, items: readonly KeyToPath[] = []): FieldError[] =>
  items.flatMap(({ key, path, mode }, index) => {
    const at = `${field}[${index}]`;
    return [
      ...(key ? [] : [required(`${at}.key`)]),
      ...(path ? [] : [required(`${at}.path`)]),
      ...unreservedPath(`${at}.path`, path),
      ...fileMode(`${at}.mode`, mode),
    ];
  });

const fileMode = (field: string, mode: number | undefined): FieldError[] =>
  mode !== undefined && (mode < 0 || mode > 0o777)
    ? [invalid(field, mode, 'must be a number between 0 and 0777 (octal), both inclusive')]
    : [];

/** A path inside a volume. */
export function localPath(field: string, path: string | undefined): FieldError[] {
  if (!path) return [];
  if (path.startsWith('/')) return [invalid(field, path, 'must be a relative path')];
  return path.split('/').includes('..') ? [invalid(field, path, "must not contain '..'")] : [];
}

/** Names that begin with two dots are those by which the agent changes all files at once. */
function unreservedPath(field: string, path: string | undefined): FieldError[] {
  const local = localPath(field, path);
  return local.length === 0 && path?.startsWith('..')
    ? [invalid(field, path, "must not start with '..'")]
    : local;
}

type DownwardItem = NonNullable<NonNullable<Volume['downwardAPI']>['items']>[number];

const validateDownward = (at: string, source: Volume['downwardAPI']): FieldError[] =>
  source
    ? [
        ...fileMode(`${at}.defaultMode`, source.defaultMode),
        ...(source.items ?? []).flatMap((item) => validateDownwardItem(at, item)),
      ]
    : [];

/** As in Kubernetes, without the item's index. */
function validateDownwardItem(at: string, item: DownwardItem): FieldError[] {
  const { path, fieldRef, resourceFieldRef, mode } = item;
  return [
    ...(path ? [] : [required(`${at}.path`)]),
    ...unreservedPath(`${at}.path`, path),
    ...(fieldRef ? validateFieldRef(`${at}.fieldRef`, fieldRef, VOLUME_FIELDS) : []),
    ...(fieldRef && resourceFieldRef
      ? [invalid(at, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously')]
      : []),
    ...(!fieldRef && resourceFieldRef
      ? validateResourceRef(`${at}.resourceFieldRef`, resourceFieldRef, true)
      : []),
    ...(fieldRef || resourceFieldRef
      ? []
      : [required(at, 'one of fieldRef and resourceFieldRef is required')]),
    ...fileMode(`${at}.mode`, mode),
  ];
}

function validateProjected(at: string, projected: Volume['projected']): FieldError[] {
  if (!projected) return [];
  const paths = new Set<string>();
  const conflicts = (name: string, items: readonly { readonly path: string }[] = []): FieldError[] =>
    items.flatMap(({ path }) => {
      if (!path || !paths.has(path)) return paths.add(path) && [];
      return [invalid(at, name, 'conflicting duplicate paths')];
    });
  return [
    ...fileMode(`${at}.defaultMode`, projected.defaultMode),
    ...(projected.sources ?? []).flatMap((source, index) => {
      const { secret, configMap, downwardAPI, serviceAccountToken } = source;
      const own = `${at}.sources[${index}]`;
      const [, ...more] = Object.keys(source);
      return [
        ...validateNamed(`${own}.secret`, 'name', secret?.name, secret),
        ...conflicts(secret?.name ?? '', secret?.items),
        ...validateNamed(`${own}.configMap`, 'name', configMap?.name, configMap),
        ...conflicts(configMap?.name ?? '', configMap?.items),
        ...validateDownward(`${own}.downwardAPI`, downwardAPI),
        ...conflicts('downwardAPI', downwardAPI?.items),
        ...validateToken(`${own}.serviceAccountToken`, serviceAccountToken),
        ...conflicts('serviceAccountToken', serviceAccountToken && [serviceAccountToken]),
        ...more.map((extra) =>
          forbidden(`${own}.${extra}`, 'may not specify more than 1 volume type per source'),
        ),
      ];
    }),
  ];
}

type TokenSource = NonNullable<
  NonNullable<NonNullable<Volume['projected']>['sources']>[number]['serviceAccountToken']
>;

function validateToken(at: string, token: TokenSource | undefined): FieldError[] {
  if (!token) return [];
  return [
    ...(token.path ? unreservedPath(`${at}.path`, token.path) : [required(`${at}.path`)]),
    ...tokenLifetimeErrors(`${at}.expirationSeconds`, token.expirationSeconds),
  ];
}

const SHORTEST_TOKEN_SECONDS = 600;
const LONGEST_TOKEN_SECONDS = 2 ** 32;

export function tokenLifetimeErrors(field: string, seconds: number | undefined): FieldError[] {
  if (seconds === undefined) return [];
  if (seconds < SHORTEST_TOKEN_SECONDS)
    return [invalid(field, seconds, 'may not specify a duration less than 10 minutes')];
  return seconds > LONGEST_TOKEN_SECONDS
    ? [invalid(field, seconds, 'may not specify a duration larger than 2^32 seconds')]
    : [];
}
