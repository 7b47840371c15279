// What the API knows of one kind beyond its schema: names, columns, fields to select by, and its rules.

import { sameJson } from '@fleetset/scheduler-core/canonical-json';
import type { ObjectMeta } from '@fleetset/scheduler-core/schema/meta';
import type { ObjectSchema } from '@fleetset/scheduler-core/schema/schema';
import type { FieldError } from '@fleetset/scheduler-core/validation/field-error';

/** Any object of the API, as far as generic code looks. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

export interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date' | 'boolean';
  readonly format?: string;
  readonly description: string;
  /** 0 is always shown, 1 only with `-o wide`. */
  readonly priority?: number;
  readonly cell: (object: KubeObject, now: number) => string | number | boolean | null;
}

export interface Kind {
  /** '' is the core group; `versionOf` says its version. */
  readonly group: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly namespaced: boolean;
  readonly schema: ObjectSchema;
  readonly verbs: readonly Verb[];
  readonly subresources?: readonly Subresource[];
  readonly columns: readonly Column[];
  /** Fields a client may select by, beyond metadata.name and metadata.namespace. */
  readonly fields?: { readonly [field: string]: (object: KubeObject) => string };
  /** A PUT makes an object that is not there, as in Kubernetes for these kinds. */
  readonly putMakes?: boolean;
  /** Observed state: lives in memory, told anew by the agents. */
  readonly volatile?: boolean;
  readonly rules?: KindRules;
}

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

export const ALL_VERBS = [
  'create',
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'update',
  'watch',
] as const;

export interface Subresource {
  readonly name: string;
  readonly kind: string;
  readonly group?: string;
  readonly verbs: readonly string[];
}

/** Rules of one kind. Absent ones do nothing. All are pure. */
export interface KindRules {
  /** Of a configuration applied on the server: fields that are stored as others become those. */
  readonly readApplied?: (object: KubeObject) => KubeObject;
  readonly setDefaults?: (object: KubeObject) => KubeObject;
  /** Fields that a client cannot set are taken from `old` or dropped. */
  readonly prepare?: (object: KubeObject, old: KubeObject | undefined) => KubeObject;
  readonly validate?: (object: KubeObject, old: KubeObject | undefined) => readonly FieldError[];
  readonly warnings?: (object: KubeObject) => readonly string[];
}

/** For a kind whose objects are kept and that nothing comes of. */
export const notActedOn = (kind: string, so: string): string[] => [
  `${kind} is stored, but fleetset does not act on it: ${so}`,
];

/** For a kind without a spec, of which the generation counts every change but those of its metadata. */
export function countedChange(object: KubeObject, old: KubeObject | undefined): KubeObject {
  const { metadata, ...content } = object;
  const { metadata: before, ...was } = old ?? { metadata: {} };
  const generation = !old ? 1 : (before.generation ?? 1) + (sameJson(content, was) ? 0 : 1);
  return { ...object, metadata: { ...metadata, generation } };
}

/** Every group is served in one version. Kubernetes itself has not brought this one further. */
export const versionOf = (group: string): string => (group === 'metrics.k8s.io' ? 'v1beta1' : 'v1');
export const apiVersionOf = ({ group }: Pick<Kind, 'group'>): string =>
  group === '' ? 'v1' : `${group}/${versionOf(group)}`;
/** Where its objects are kept in the store. */
export const collectionOf = ({ group, plural }: Pick<Kind, 'group' | 'plural'>): string =>
  `${group === '' ? 'core' : group}/${plural}`;
export const idOf = (namespace: string | undefined, name: string): string =>
  namespace ? `${namespace}/${name}` : name;
export const idOfObject = ({ metadata }: KubeObject): string => idOf(metadata.namespace, metadata.name ?? '');
