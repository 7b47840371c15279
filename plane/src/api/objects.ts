// Creating, changing and deleting stored objects: defaults, validation, what only the plane may set, no-op
// writes, conflicts. The rules of each kind are in kinds/, effects beyond the object in effects.ts.
import { randomInt } from 'node:crypto';
import { sameJson } from '@fleetset/scheduler-core/canonical-json';
import { collectionOf, idOf, idOfObject, type Kind, type KubeObject } from '../kinds/kind.ts';
import { type Store, StoreFailure, type Write } from '../store/store.ts';
import { ApiError, alreadyExists, conflict, notFoundObject } from './api-error.ts';
import type { EffectsOf } from './effects.ts';
import { applyBody, withManagedFields, withOwners } from './field-managers.ts';
import { isHeld, plainDelete, withDeletion } from './object-deletion.ts';
import type { ApplyOptions, DeleteOptions, Removed, WriteOptions, Written } from './object-options.ts';
import {
  changedObject,
  checkedObject,
  decodeObject,
  requireSameIdentity,
  withIdentity,
} from './prepare-object.ts';
import { requireNamespace, requirePreconditions } from './write-conditions.ts';

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
  /** Server-side apply. Makes the object when it is not there. */
  readonly apply: (
    kind: Kind,
    namespace: string | undefined,
    name: string,
    config: unknown,
    options: ApplyOptions,
  ) => Promise<Written & { readonly created: boolean }>;
  readonly remove: (
    kind: Kind,
    namespace: string | undefined,
    name: string,
    options: DeleteOptions,
  ) => Promise<Removed>;
}

/** `requested`: the object as the client sent it. Answers with the object that says who owns its fields. */
type Own = (object: KubeObject, requested: KubeObject) => KubeObject;

interface Step {
  /** What the object is to be. */
  readonly wanted: unknown;
  readonly own: Own;
}

/** Of writers that meet, one gets through each time: so many at once can all do so. */
const CONFLICT_TRIES = 50;

/** As Kubernetes: a name that was chosen and is taken is chosen anew. */
const NAME_TRIES = 8;

export function createObjects(
  store: Store,
  effectsOf: EffectsOf,
  nowText: () => string,
  pick: (below: number) => number = (below) => randomInt(below),
): Objects {
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

  const remarksOn = (
    kind: Kind,
    object: KubeObject,
    old: KubeObject | undefined,
    decoding: readonly string[],
    subresource?: string,
  ): Omit<Written, 'object'> => {
    const remarks = subresource ? undefined : effectsOf(kind).remarks?.(object, old);
    const warnings = [...decoding, ...(kind.rules?.warnings?.(object) ?? []), ...(remarks?.warnings ?? [])];
    return { warnings, ...(remarks ? { annotations: remarks.annotations } : {}) };
  };

  const reread = (kind: Kind, object: KubeObject): KubeObject =>
    (store.get(collectionOf(kind), idOfObject(object))?.value as unknown as KubeObject | undefined) ?? object;

  const make = async (
    kind: Kind,
    namespace: string | undefined,
    body: unknown,
    options: WriteOptions,
    own: Own,
  ): Promise<Written> => {
    const decoded = decodeObject(kind, body, options);
    const fresh = withIdentity(kind, namespace, decoded.object, nowText(), pick);
    if (kind.namespaced) requireNamespace(store, namespace ?? '', fresh);
    const object = own(checkedObject(kind, fresh, undefined), decoded.object);
    effectsOf(kind).checkCreate?.(object);
    options.admit?.(object, undefined);
    const remarks = remarksOn(kind, object, undefined, decoded.warnings);
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
      return { object, ...remarks };
    }
    if (!(await commit(kind, object, writes))) throw alreadyExists(kind, object.metadata.name ?? '');
    return { object: reread(kind, object), ...remarks };
  };

  /** `step` may run again after a conflict. */
  const change = async (
    kind: Kind,
    namespace: string | undefined,
    name: string,
    options: WriteOptions,
    step: (current: KubeObject) => Step,
  ): Promise<Written> => {
    for (let attempt = 1; ; attempt++) {
      const current = find(kind, namespace, name);
      const { wanted, own } = step(current.object);
      const decoded = decodeObject(kind, wanted, options);
      requireSameIdentity(kind, decoded.object, current.object);
      const object = changedObject(kind, decoded.object, current.object, options);
      const checked = effectsOf(kind).checkUpdate?.(object, current.object) ?? object;
      const allowed = own(checked, decoded.object);
      options.admit?.(allowed, current.object);
      const remarks = remarksOn(kind, allowed, current.object, decoded.warnings, options.subresource);
      if (sameJson(allowed, current.object)) return { object: current.object, ...remarks };
      if (options.dryRun) return { object: allowed, ...remarks };
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
        return { object: done ? allowed : reread(kind, allowed), ...remarks };
      const asked = decoded.object.metadata.resourceVersion;
      if (asked !== undefined || attempt === CONFLICT_TRIES) throw conflict(kind, name);
    }
  };

  return {
    get: (kind, namespace, name) => find(kind, namespace, name).object,

    create: async (kind, namespace, body, options) => {
      for (let attempt = 1; ; attempt++)
        try {
          return await make(kind, namespace, body, options, (object, requested) =>
            withOwners(kind, object, undefined, requested, options, nowText()),
          );
        } catch (error) {
          if (attempt === NAME_TRIES || !cameBetween(error) || !isNamedByPlane(body)) throw error;
        }
    },

    update: (kind, namespace, name, wantedOf, options) =>
      change(kind, namespace, name, options, (current) => ({
        wanted: wantedOf(current),
        own: (object, requested) => withOwners(kind, object, current, requested, options, nowText()),
      })),

    apply: async (kind, namespace, name, config, options) => {
      const step = (current: KubeObject | undefined) => {
        const { body, owners } = applyBody(kind, namespace, name, current, config, options, nowText());
        return { wanted: body, own: (object: KubeObject) => withManagedFields(object, owners) };
      };
      for (let attempt = 1; ; attempt++)
        try {
          if (store.get(collectionOf(kind), idOf(namespace, name)))
            return { ...(await change(kind, namespace, name, options, step)), created: false };
          if (options.subresource) throw notFoundObject(kind, name);
          const { wanted, own } = step(undefined);
          return { ...(await make(kind, namespace, wanted, options, own)), created: true };
        } catch (error) {
          if (attempt === CONFLICT_TRIES || !cameBetween(error)) throw error;
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

const isNamedByPlane = (body: unknown): boolean => {
  const { name, generateName } = (body as Partial<KubeObject> | undefined)?.metadata ?? {};
  return !name && Boolean(generateName);
};

/** Somebody else made it since it was looked for. */
const cameBetween = (error: unknown): boolean =>
  error instanceof ApiError && error.reason === 'AlreadyExists';
