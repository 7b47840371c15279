// The ConfigMaps and Secrets of one pod as this node knows them: those that the plane tells of, or, where the pod's
// revision came with a snapshot, those of the snapshot.
import type { NodeDesired } from '@fleetset/proto/gen/fleetset/v1/node';
import {
  type ConfigData,
  type ConfigKind,
  type ConfigLookup,
  type ConfigRef,
  configRefs,
} from '@fleetset/scheduler-core/node/config-data';
import type { PodSpec, PodTemplateSpec } from '@fleetset/scheduler-core/schema/pod';
import type { BodyFiles } from '../state/body-files.ts';

export interface PodConfig {
  readonly lookup: ConfigLookup;
  /** Which objects with which content: equal texts, equal state. */
  readonly state: string;
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
  const refs = refsOf(template);
  if (refs.length === 0) return NO_CONFIG;
  const objects = snapshot === undefined ? (told?.configs ?? []) : objectsOf(bodies, snapshot);
  const hashOf = (kind: ConfigKind, name: string) =>
    objects.find((one) => one.kind === kind && one.name === name && one.namespace === namespace)?.hash;
  return {
    lookup: (kind, name) => {
      const hash = hashOf(kind, name);
      if (hash === '') return 'missing';
      return (hash && (bodies.get(hash) as ConfigData | undefined)) || 'untold';
    },
    state: refs.map(({ kind, name }) => `${kind}/${name}=${stateOf(hashOf(kind, name), bodies)}`).join(' '),
  };
}

const stateOf = (hash: string | undefined, bodies: BodyFiles): string => {
  if (hash === '') return 'missing';
  return hash && bodies.get(hash) ? hash : 'untold';
};

const NO_CONFIG: PodConfig = { lookup: () => 'untold', state: '' };

const known = new WeakMap<PodSpec, readonly ConfigRef[]>();

function refsOf({ spec }: PodTemplateSpec): readonly ConfigRef[] {
  if (!spec) return [];
  const before = known.get(spec);
  if (before) return before;
  const refs = configRefs(spec);
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
