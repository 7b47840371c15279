// The ConfigMaps and Secrets of one pod as this node knows them: those that the plane tells of, or, where the pod's
// revision came with a snapshot, those of the snapshot.
import type { NodeDesired } from '@fleetset/proto/gen/fleetset/v1/node';
import {
  type ConfigData,
  type ConfigKind,
  type ConfigLookup,
  type ConfigRef,
  configRefs,
  pullSecretRefs,
} from '@fleetset/scheduler-core/node/config-data';
import type { PodSpec, PodTemplateSpec } from '@fleetset/scheduler-core/schema/pod';
import type { BodyFiles } from '../state/body-files.ts';

export interface PodConfig {
  readonly lookup: ConfigLookup;
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

/** `snapshot`: of the pod; undefined when it follows what is told. */
export function podConfig(
  told: Pick<NodeDesired, 'configs'> | undefined,
  bodies: BodyFiles,
  namespace: string,
  template: PodTemplateSpec,
  snapshot: string | undefined,
): PodConfig {
  const { content, pull } = refsOf(template);
  if (content.length + pull.length === 0) return NO_CONFIG;
  const now = told?.configs ?? [];
  const objects = snapshot === undefined ? now : objectsOf(bodies, snapshot);
  const hashOf = (among: readonly Named[], kind: ConfigKind, name: string) =>
    among.find((one) => one.kind === kind && one.name === name && one.namespace === namespace)?.hash;
  const find = (hash: string | undefined) => {
    if (hash === '') return 'missing';
    return (hash && (bodies.get(hash) as ConfigData | undefined)) || 'untold';
  };
  const state = (among: readonly Named[], what: string, refs: readonly ConfigRef[]) =>
    refs.map(({ kind, name }) => `${what}${kind}/${name}=${stateOf(hashOf(among, kind, name), bodies)}`);
  return {
    lookup: (kind, name) => find(hashOf(objects, kind, name)),
    pullSecrets: pull.map(({ kind, name }) => ({ name, found: find(hashOf(now, kind, name)) })),
    state: [...state(objects, '', content), ...state(now, 'pull:', pull)].join(' '),
  };
}

const stateOf = (hash: string | undefined, bodies: BodyFiles): string => {
  if (hash === '') return 'missing';
  return hash && bodies.get(hash) ? hash : 'untold';
};

const NO_CONFIG: PodConfig = { lookup: () => 'untold', pullSecrets: [], state: '' };

interface Refs {
  readonly content: readonly ConfigRef[];
  readonly pull: readonly ConfigRef[];
}

const NO_REFS: Refs = { content: [], pull: [] };
const known = new WeakMap<PodSpec, Refs>();

function refsOf({ spec }: PodTemplateSpec): Refs {
  if (!spec) return NO_REFS;
  const before = known.get(spec);
  if (before) return before;
  const refs = { content: configRefs(spec), pull: pullSecretRefs(spec) };
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
