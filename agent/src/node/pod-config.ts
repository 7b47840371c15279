// The ConfigMaps and Secrets of one pod as this node knows them: those that the plane tells of, or, where the pod's
// revision came with a snapshot, those of the snapshot.
import type { NodeDesired } from '@fleetset/proto/gen/fleetset/v1/node';
import {
  type TokenLookup,
  type TokenRef,
  tokenKey,
  tokenRefs,
} from '@fleetset/scheduler-core/node/account-tokens';
import {
  type ConfigData,
  type ConfigKind,
  type ConfigLookup,
  type ConfigRef,
  configRefs,
  pullSecretRefs,
} from '@fleetset/scheduler-core/node/config-data';
import { ROOT_CA } from '@fleetset/scheduler-core/node/service-account';
import type { PodSpec, PodTemplateSpec } from '@fleetset/scheduler-core/schema/pod';
import type { BodyFiles } from '../state/body-files.ts';
import type { PodTokens } from './pod-tokens.ts';

export interface PodConfig {
  readonly lookup: ConfigLookup;
  readonly tokens: TokenLookup;
  /** Of the Secrets that its images are pulled with; never of a snapshot: what opened a registry then may not now. */
  readonly pullSecrets: readonly PullSecret[];
  /** Which objects with which content: equal texts, equal state. */
  readonly state: string;
}

export interface PullSecret {
  readonly name: string;
  readonly found: ReturnType<ConfigLookup>;
}

/** An object in a list of them: as in ConfigObject. */
interface Named {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** Empty: there is no such object. */
  readonly hash: string;
}

export interface ConfigSources {
  readonly told: Pick<NodeDesired, 'configs'> | undefined;
  readonly bodies: BodyFiles;
  readonly tokens: Pick<PodTokens, 'of' | 'stateOf'>;
}

/** `snapshot`: of the pod; undefined when it follows what is told. */
export function podConfig(
  { told, bodies, tokens }: ConfigSources,
  { uid, namespace }: { readonly uid: string; readonly namespace: string },
  template: PodTemplateSpec,
  snapshot: string | undefined,
): PodConfig {
  const { content, pull, tokens: wanted } = refsOf(template);
  if (content.length + pull.length + wanted.length === 0) return NO_CONFIG;
  const now = told?.configs ?? [];
  const objects = snapshot === undefined ? now : objectsOf(bodies, snapshot);
  const hashIn = (among: readonly Named[], kind: ConfigKind, name: string) =>
    among.find((one) => one.kind === kind && one.name === name && one.namespace === namespace)?.hash;
  // What admission adds to a pod is named by no template, and so by no snapshot.
  const hashOf = (among: readonly Named[], kind: ConfigKind, name: string) =>
    hashIn(among, kind, name) ?? (name === ROOT_CA ? hashIn(now, kind, name) : undefined);
  const find = (hash: string | undefined) => {
    if (hash === '') return 'missing';
    return (hash && (bodies.get(hash) as ConfigData | undefined)) || 'untold';
  };
  const state = (among: readonly Named[], what: string, refs: readonly ConfigRef[]) =>
    refs.map(({ kind, name }) => `${what}${kind}/${name}=${stateOf(hashOf(among, kind, name), bodies)}`);
  return {
    lookup: (kind, name) => find(hashOf(objects, kind, name)),
    tokens: tokens.of(uid),
    pullSecrets: pull.map(({ kind, name }) => ({ name, found: find(hashOf(now, kind, name)) })),
    state: [
      ...state(objects, '', content),
      ...state(now, 'pull:', pull),
      ...wanted.map((ref) => `token:${tokenKey(ref)}=${tokens.stateOf(uid, ref)}`),
    ].join(' '),
  };
}

const stateOf = (hash: string | undefined, bodies: BodyFiles): string => {
  if (hash === '') return 'missing';
  return hash && bodies.get(hash) ? hash : 'untold';
};

const NO_CONFIG: PodConfig = {
  lookup: () => 'untold',
  tokens: () => 'untold',
  pullSecrets: [],
  state: '',
};

interface Refs {
  readonly content: readonly ConfigRef[];
  readonly pull: readonly ConfigRef[];
  readonly tokens: readonly TokenRef[];
}

const NO_REFS: Refs = { content: [], pull: [], tokens: [] };
const known = new WeakMap<PodSpec, Refs>();

function refsOf({ spec }: PodTemplateSpec): Refs {
  if (!spec) return NO_REFS;
  const before = known.get(spec);
  if (before) return before;
  const refs = { content: configRefs(spec), pull: pullSecretRefs(spec), tokens: tokenRefs(spec) };
  known.set(spec, refs);
  return refs;
}

function objectsOf(bodies: BodyFiles, snapshot: string): readonly Named[] {
  const { objects } = (bodies.get(snapshot) ?? {}) as { readonly objects?: readonly Named[] };
  return Array.isArray(objects) ? objects : [];
}

/** Bodies that a pod with this snapshot needs, whatever is told later. */
export const snapshotBodies = (bodies: BodyFiles, snapshot: string): readonly string[] => [
  snapshot,
  ...objectsOf(bodies, snapshot).map(({ hash }) => hash),
];
