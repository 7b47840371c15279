// Which files a volume holds that is made of ConfigMaps, Secrets and what is known of the pod, and on what it lies.
import { parseQuantity, wholeUnits } from '../quantity.ts';
import type { Container } from '../schema/container.ts';
import type { PodSpec } from '../schema/pod.ts';
import type { Volume } from '../schema/volume.ts';
import { type TokenLookup, tokenRef } from './account-tokens.ts';
import {
  type ConfigKind,
  type ConfigLookup,
  type ConfigProblem,
  type Content,
  contentsOf,
  findConfig,
  isProblem,
} from './config-data.ts';
import { fieldValue, type PodFacts, resourceValue } from './field-ref.ts';
import { allContainers } from './pod-record.ts';
import { mostTogether } from './pod-requests.ts';
import { isAccountVolume } from './service-account.ts';

export interface VolumeFile {
  /** Relative to the volume; may have directories in it. */
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
  /** Its user; absent: root. */
  readonly user?: number;
  readonly content: Content;
}

export interface VolumeInput {
  readonly spec: PodSpec;
  readonly pod: PodFacts;
  readonly config: ConfigLookup;
  readonly tokens: TokenLookup;
}

/** Secrets and what is projected never touch the disk, as in Kubernetes. `host`: not the agent's to keep. */
export function volumeMedium(volume: Volume): 'memory' | 'disk' | 'host' {
  if (volume.hostPath) return 'host';
  if (volume.secret || volume.projected || volume.downwardAPI) return 'memory';
  return volume.emptyDir?.medium === 'Memory' ? 'memory' : 'disk';
}

/** The agent writes what is in it, and containers only read it. */
export const isConfigVolume = ({ configMap, secret, downwardAPI, projected }: Volume): boolean =>
  (configMap ?? secret ?? downwardAPI ?? projected) !== undefined;

/** How large an emptyDir in memory may grow: its sizeLimit, and never more than the pod or the node may use. */
export function memoryVolumeBytes(volume: Volume, spec: PodSpec, nodeMemoryBytes: number): number {
  const limitOf = ({ resources }: Container) => bytes(resources?.limits?.memory);
  const podLimit = allContainers(spec).every((container) => limitOf(container) > 0)
    ? mostTogether(spec, (container) => ({ cpuMilli: 0, memoryBytes: limitOf(container) })).memoryBytes
    : 0;
  const bounds = [bytes(volume.emptyDir?.sizeLimit), podLimit, nodeMemoryBytes].filter((bound) => bound > 0);
  return Math.min(...bounds);
}

const bytes = (quantity: string | undefined): number => {
  const parsed = quantity === undefined ? undefined : parseQuantity(quantity);
  return parsed ? wholeUnits(parsed) : 0;
};

const DEFAULT_MODE = 0o644;

/** Of a config volume. Where two sources have one path, the later one's file is there. */
export function volumeFiles(volume: Volume, input: VolumeInput): readonly VolumeFile[] | ConfigProblem {
  const { configMap, secret, downwardAPI, projected } = volume;
  if (configMap) return projection('ConfigMap', configMap.name, configMap, modeOf(configMap), input);
  if (secret) return projection('Secret', secret.secretName, secret, modeOf(secret), input);
  if (downwardAPI) return downward(downwardAPI.items, modeOf(downwardAPI), input);
  return projected ? projectAll(volume, projected, input) : [];
}

const modeOf = ({ defaultMode = DEFAULT_MODE }: { readonly defaultMode?: number }): number => defaultMode;

type Projected = NonNullable<Volume['projected']>;

function projectAll(
  volume: Volume,
  projected: Projected,
  input: VolumeInput,
): readonly VolumeFile[] | ConfigProblem {
  const files = new Map<string, VolumeFile>();
  for (const source of projected.sources ?? []) {
    const made = projectOne(volume, source, modeOf(projected), input);
    if (isProblem(made)) return made;
    for (const file of made) files.set(file.path, file);
  }
  return [...files.values()];
}

type Source = NonNullable<Projected['sources']>[number];

function projectOne(
  volume: Volume,
  { configMap, secret, downwardAPI, serviceAccountToken }: Source,
  mode: number,
  input: VolumeInput,
): readonly VolumeFile[] | ConfigProblem {
  if (configMap) return projection('ConfigMap', configMap.name, configMap, mode, input);
  if (secret) return projection('Secret', secret.name, secret, mode, input);
  if (!serviceAccountToken) return downward(downwardAPI?.items, mode, input);
  const found = input.tokens(tokenRef(serviceAccountToken));
  if (typeof found === 'object') return [tokenFile(serviceAccountToken.path, found.token, mode, input.spec)];
  // A pod that nobody asked a token for starts without one when the plane is away; it comes later.
  if (found === 'none' && isAccountVolume(volume)) return [];
  return { message: 'the token of the service account has not come from the plane yet', untold: true };
}

/** As kubelet: only for whom it is, where the pod says who that is. */
function tokenFile(path: string, token: string, mode: number, spec: PodSpec): VolumeFile {
  const user = commonUser(spec);
  const isOwned = user !== undefined || spec.securityContext?.fsGroup !== undefined;
  return {
    path,
    mode: isOwned ? 0o600 : mode,
    ...(user === undefined ? {} : { user }),
    content: { text: token },
  };
}

/** Whom all containers run as; undefined when they differ, or one does not say. */
function commonUser(spec: PodSpec): number | undefined {
  const users = new Set(
    allContainers(spec).map(
      ({ securityContext }) => securityContext?.runAsUser ?? spec.securityContext?.runAsUser,
    ),
  );
  return users.size === 1 ? [...users][0] : undefined;
}

interface Projection {
  readonly items?: readonly { readonly key: string; readonly path: string; readonly mode?: number }[];
  readonly optional?: boolean;
}

/** Without items, every entry under its key. */
function projection(
  kind: ConfigKind,
  name = '',
  { items, optional }: Projection,
  defaultMode: number,
  { config }: VolumeInput,
): readonly VolumeFile[] | ConfigProblem {
  const found = findConfig(config, kind, name, optional);
  if (!found) return [];
  if (isProblem(found)) return found;
  const contents = contentsOf(kind, found);
  if (!items?.length) return [...contents].map(([path, content]) => ({ path, mode: defaultMode, content }));
  const files = new Map<string, VolumeFile>();
  for (const { key, path, mode = defaultMode } of items) {
    const content = contents.get(key);
    if (content) files.set(path, { path, mode, content });
    else if (!optional) return { message: missingKey(kind, key) };
  }
  return [...files.values()];
}

const missingKey = (kind: ConfigKind, key: string): string =>
  kind === 'ConfigMap'
    ? `configmap references non-existent config key: ${key}`
    : `references non-existent secret key: ${key}`;

type DownwardItem = NonNullable<NonNullable<Volume['downwardAPI']>['items']>[number];

function downward(
  items: readonly DownwardItem[] = [],
  defaultMode: number,
  { spec, pod }: VolumeInput,
): readonly VolumeFile[] | ConfigProblem {
  const files: VolumeFile[] = [];
  for (const { path, fieldRef, resourceFieldRef, mode = defaultMode } of items) {
    const container = allContainers(spec).find(({ name }) => name === resourceFieldRef?.containerName);
    if (resourceFieldRef && !container)
      return { message: `unable to find container ${JSON.stringify(resourceFieldRef.containerName ?? '')}` };
    const text =
      resourceFieldRef && container
        ? resourceValue(resourceFieldRef, container, pod.allocatable)
        : fieldValue(fieldRef?.fieldPath ?? '', pod);
    files.push({ path, mode, content: { text } });
  }
  return files;
}
