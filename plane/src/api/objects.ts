// Creating, changing and deleting stored objects: defaults, validation, what only the plane may set, no-op
// writes, conflicts. The rules of each kind are in kinds/, effects beyond the object in effects.ts.
import { randomInt, randomUUID } from 'node:crypto';
import { sameJson } from '@fleetset/scheduler-core/canonical-json';
import { decode } from '@fleetset/scheduler-core/schema/decode';
import type { ObjectMeta } from '@fleetset/scheduler-core/schema/meta';
import { SAFE_LETTERS } from '@fleetset/scheduler-core/template-hash';
import { apiVersionOf, collectionOf, idOf, idOfObject, type Kind, type KubeObject } from '../kinds/kind.ts';
import { type Store, StoreFailure, type Write } from '../store/store.ts';
import {
  ApiError,
  alreadyExists,
  badRequest,
  conflict,
  forbiddenRequest,
  invalidObject,
  notFoundObject,
} from './api-error.ts';
import type { DeletePlan, EffectsOf } from './effects.ts';

export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldValidation: 'Strict' | 'Warn' | 'Ignore';
}

export interface Written {
  readonly object: KubeObject;
  /** For Warning headers. */
  readonly warnings: readonly string[];
}

export interface Objects {
  readonly get: (kind: Kind, namespace: string | undefined, name: string) => KubeObject;
  readonly create: (
    kind: Kind,
    namespace: string | undefined,
    body: unknown,
    options: WriteOptions,
  ) => Promise<Written>;
  /** `change` makes the wanted object from the one that is there; it may run again after a conflict. */
  readonly update: (
    kind: Kind,
    namespace: string | undefined,
    name: string,
    change: (current: KubeObject) => unknown,
    options: WriteOptions,
  ) => Promise<Written>;
  readonly remove: (
    kind: Kind,
    namespace: string | undefined,
    name: string,
    options: DeleteOptions,
  ) => Promise<Removed>;
}

export interface DeleteOptions {
  readonly dryRun: boolean;
  /** Absent: as the object's finalizers say, else in the background. */
  readonly propagation?: 'Background' | 'Foreground' | 'Orphan' | undefined;
  readonly graceSeconds?: number;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
}

/** `gone` is false while the object lives on, being deleted. */
export interface Removed {
  readonly object: KubeObject;
  readonly gone: boolean;
}

/** Of writers that meet, one gets through each time: so many at once can all do so. */
const CONFLICT_TRIES = 50;

export function createObjects(store: Store, effectsOf: EffectsOf, nowText: () => string): Objects {
  const find = (kind: Kind, namespace: string | undefined, name: string) => {
    const stored = store.get(collectionOf(kind), idOf(namespace, name));
    if (!stored) throw notFoundObject(kind, name);
    return { version: stored.version, object: stored.value as unknown as KubeObject };
  };

  const commit = async (kind: Kind, object: KubeObject, writes: readonly Write[]): Promise<boolean> => {
    try {
      return (await store.commit(writes)).committed;
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error;
      const name = `${kind.plural} ${JSON.stringify(object.metadata.name)}`;
      throw new ApiError(500, 'InternalError', `${name} was not written: ${error.message}`, undefined, error);
    }
  };

  const reread = (kind: Kind, object: KubeObject): KubeObject =>
    (store.get(collectionOf(kind), idOfObject(object))?.value as unknown as KubeObject | undefined) ?? object;

  return {
    get: (kind, namespace, name) => find(kind, namespace, name).object,

    create: async (kind, namespace, body, options) => {
      const decoded = decodeObject(kind, body, options);
      const fresh = withIdentity(kind, namespace, decoded.object, nowText());
      if (kind.namespaced) requireNamespace(store, namespace ?? '', fresh);
      const object = checkedObject(kind, fresh, undefined);
      const warnings = [...decoded.warnings, ...(kind.rules?.warnings?.(object) ?? [])];
      const writes = [
        ...(effectsOf(kind).alongCreate?.(object) ?? []),
        {
          collection: collectionOf(kind),
          id: idOfObject(object),
          value: object,
          expect: 'absent' as const,
          durable: !kind.volatile,
        },
      ];
      if (options.dryRun) {
        if (store.get(collectionOf(kind), idOfObject(object)))
          throw alreadyExists(kind, object.metadata.name ?? '');
        return { object, warnings };
      }
      if (!(await commit(kind, object, writes))) throw alreadyExists(kind, object.metadata.name ?? '');
      return { object: reread(kind, object), warnings };
    },

    update: async (kind, namespace, name, change, options) => {
      for (let attempt = 1; ; attempt++) {
        const current = find(kind, namespace, name);
        const decoded = decodeObject(kind, change(current.object), options);
        requireSameIdentity(kind, decoded.object, current.object);
        const kept = keepSystemFields(decoded.object, current.object);
        const object = checkedObject(kind, kept, current.object);
        const allowed = effectsOf(kind).checkUpdate?.(object, current.object) ?? object;
        const warnings = [...decoded.warnings, ...(kind.rules?.warnings?.(allowed) ?? [])];
        if (sameJson(allowed, current.object)) return { object: current.object, warnings };
        if (options.dryRun) return { object: allowed, warnings };
        const done = allowed.metadata.deletionTimestamp !== undefined && !isHeld(allowed);
        const write: Write = {
          collection: collectionOf(kind),
          id: idOf(namespace, name),
          ...(done ? {} : { value: allowed }),
          expect: current.version,
          durable: !kind.volatile,
        };
        const along = done ? (effectsOf(kind).alongEnd?.(allowed) ?? []) : [];
        if (await commit(kind, allowed, [write, ...along]))
          return { object: done ? allowed : reread(kind, allowed), warnings };
        const asked = decoded.object.metadata.resourceVersion;
        if (asked !== undefined || attempt === CONFLICT_TRIES) throw conflict(kind, name);
      }
    },

    remove: async (kind, namespace, name, options) => {
      for (let attempt = 1; ; attempt++) {
        const current = find(kind, namespace, name);
        requirePreconditions(kind, name, current.object, options);
        const plan = effectsOf(kind).planDelete?.(current.object, options) ?? plainDelete(current.object);
        const object = plan.keep ? withDeletion(plan.keep, plan.graceSeconds, nowText()) : current.object;
        const removed = { object, gone: plan.keep === undefined };
        if (options.dryRun) return removed;
        const write: Write = {
          collection: collectionOf(kind),
          id: idOf(namespace, name),
          ...(plan.keep ? { value: object } : {}),
          expect: current.version,
          durable: !kind.volatile,
        };
        const same = plan.keep && sameJson(object, current.object);
        const along = plan.keep ? [] : (effectsOf(kind).alongEnd?.(object) ?? []);
        const writes = [...(same ? [] : [write]), ...along, ...(plan.writes ?? [])];
        if (writes.length === 0 || (await commit(kind, object, writes)))
          return plan.keep ? { ...removed, object: reread(kind, object) } : removed;
        if (attempt === CONFLICT_TRIES) throw conflict(kind, name);
      }
    },
  };
}

function decodeObject(kind: Kind, body: unknown, options: WriteOptions) {
  const decoded = decode(kind.schema, body);
  const handled = `${kind.kind} in version "v1" cannot be handled as a ${kind.kind}`;
  if (decoded.errors.length > 0) throw badRequest(`${handled}: ${decoded.errors.join(', ')}`);
  const unknown = decoded.unknown.map((path) => `unknown field ${JSON.stringify(path)}`);
  if (unknown.length > 0 && options.fieldValidation === 'Strict')
    throw badRequest(`${handled}: strict decoding error: ${unknown.join(', ')}`);
  const object = decoded.value as Partial<KubeObject>;
  const apiVersion = apiVersionOf(kind);
  if (object.apiVersion !== undefined && object.apiVersion !== apiVersion)
    throw badRequest(
      `the API version in the data (${object.apiVersion}) does not match the expected API version (${apiVersion})`,
    );
  if (object.kind !== undefined && object.kind !== kind.kind)
    throw badRequest(`the kind in the data (${object.kind}) does not match the expected kind (${kind.kind})`);
  return {
    object: { ...object, apiVersion, kind: kind.kind, metadata: object.metadata ?? {} } as KubeObject,
    warnings: options.fieldValidation === 'Warn' ? unknown : [],
  };
}

/** Defaults, what the plane alone sets, and every error at once. */
function checkedObject(kind: Kind, object: KubeObject, old: KubeObject | undefined): KubeObject {
  const defaulted = kind.rules?.setDefaults?.(object) ?? object;
  const prepared = kind.rules?.prepare?.(defaulted, old) ?? defaulted;
  const errors = kind.rules?.validate?.(prepared, old) ?? [];
  if (errors.length > 0) throw invalidObject(kind, prepared.metadata.name ?? '', errors);
  return prepared;
}

function withIdentity(
  kind: Kind,
  namespace: string | undefined,
  object: KubeObject,
  now: string,
): KubeObject {
  const { metadata } = object;
  if (metadata.namespace && kind.namespaced && metadata.namespace !== namespace)
    throw badRequest(
      `the namespace of the provided object does not match the namespace sent on the request (${metadata.namespace} and ${namespace})`,
    );
  if (metadata.resourceVersion)
    throw badRequest('resourceVersion should not be set on objects to be created');
  const name = metadata.name || (metadata.generateName ? metadata.generateName + randomSuffix() : undefined);
  const { managedFields, selfLink, deletionTimestamp, deletionGracePeriodSeconds, ...kept } = metadata;
  return {
    ...object,
    metadata: {
      ...kept,
      ...(name ? { name } : {}),
      ...(kind.namespaced && namespace ? { namespace } : {}),
      uid: randomUUID(),
      creationTimestamp: now,
    },
  };
}

const randomSuffix = (): string =>
  Array.from({ length: 5 }, () => SAFE_LETTERS[randomInt(SAFE_LETTERS.length)]).join('');

function requireNamespace(store: Store, namespace: string, object: KubeObject): void {
  const found = store.get('core/namespaces', namespace)?.value as KubeObject | undefined;
  if (!found)
    throw new ApiError(404, 'NotFound', `namespaces "${namespace}" not found`, {
      name: namespace,
      kind: 'namespaces',
    });
  if (!found.metadata.deletionTimestamp) return;
  const { name = '' } = object.metadata;
  throw forbiddenRequest(
    `${name} is forbidden: unable to create new content in namespace ${namespace} because it is being terminated`,
    {
      name,
      causes: [
        {
          reason: 'NamespaceTerminating',
          message: `namespace ${namespace} is being terminated`,
          field: 'metadata.namespace',
        },
      ],
    },
  );
}

function requireSameIdentity(kind: Kind, object: KubeObject, current: KubeObject): void {
  const { name, namespace, uid, resourceVersion } = object.metadata;
  if (name !== undefined && name !== current.metadata.name)
    throw badRequest(
      `the name of the object (${name}) does not match the name on the URL (${current.metadata.name})`,
    );
  if (namespace !== undefined && namespace !== current.metadata.namespace)
    throw badRequest(
      `the namespace of the object (${namespace}) does not match the namespace on the request (${current.metadata.namespace})`,
    );
  const label = current.metadata.name ?? '';
  if (uid && uid !== current.metadata.uid)
    throw conflict(
      kind,
      label,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid}`,
    );
  if (resourceVersion && resourceVersion !== current.metadata.resourceVersion) throw conflict(kind, label);
}

const SYSTEM_FIELDS = [
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'generateName',
] as const;

/** Whatever the client sent, these stay. */
function keepSystemFields(object: KubeObject, current: KubeObject): KubeObject {
  const metadata: { [field: string]: unknown } = { ...object.metadata };
  delete metadata.managedFields;
  delete metadata.selfLink;
  for (const field of SYSTEM_FIELDS) {
    if (current.metadata[field] === undefined) delete metadata[field];
    else metadata[field] = current.metadata[field];
  }
  return { ...object, metadata: metadata as ObjectMeta };
}

function requirePreconditions(
  kind: Kind,
  name: string,
  current: KubeObject,
  { preconditions }: DeleteOptions,
): void {
  const { uid, resourceVersion } = preconditions ?? {};
  if (uid && uid !== current.metadata.uid)
    throw conflict(
      kind,
      name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid}`,
    );
  if (resourceVersion && resourceVersion !== current.metadata.resourceVersion)
    throw conflict(kind, name, 'Precondition failed: the resource version differs');
}

/** By its finalizers; a Namespace also by those of its spec, which go when it is empty. */
function isHeld({ metadata, spec }: KubeObject): boolean {
  const { finalizers } = (spec ?? {}) as { readonly finalizers?: readonly string[] };
  return Boolean(metadata.finalizers?.length || finalizers?.length);
}

/** Gone at once, unless finalizers hold it. Nothing depends on it, so every cascade is the same. */
const plainDelete = (object: KubeObject): DeletePlan =>
  object.metadata.finalizers?.length ? { keep: object, graceSeconds: 0 } : {};

function withDeletion(object: KubeObject, graceSeconds = 0, now: string): KubeObject {
  if (object.metadata.deletionTimestamp) return object;
  return {
    ...object,
    metadata: { ...object.metadata, deletionTimestamp: now, deletionGracePeriodSeconds: graceSeconds },
  };
}
