// Creating, changing and deleting stored objects: defaults, validation, what only the plane may set, no-op
// writes, conflicts. The rules of each kind are in kinds/, effects beyond the object in effects.ts.
import { randomInt } from 'node:crypto';
import { sameJson } from '@fleetset/scheduler-core/canonical-json';
import type { Remarks } from '../admission/pod-security.ts';
import { collectionOf, idOf, idOfObject, type Kind, type KubeObject } from '../kinds/kind.ts';
import { type Store, StoreFailure, type Write } from '../store/store.ts';
import { ApiError, alreadyExists, conflict, forbiddenRequest, notFoundObject } from './api-error.ts';
import type { DeletePlan, EffectsOf } from './effects.ts';
import { applyBody, withManagedFields, withOwners } from './field-managers.ts';
import {
  checkedObject,
  decodeObject,
  keepSystemFields,
  onlyStatus,
  requireSameIdentity,
  withIdentity,
} from './prepare-object.ts';

export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldValidation: 'Strict' | 'Warn' | 'Ignore';
  /** Of the object as it would be written, and as it was; may refuse by throwing an ApiError. */
  readonly admit?: (object: KubeObject, old: KubeObject | undefined) => void;
  /** Fields that the request's body sets more than once; asked for where it matters. */
  readonly duplicates?: () => readonly string[];
  /** Who is to own what this write sets; absent: the plane. */
  readonly manager?: string;
  /** Only this part is written. */
  readonly subresource?: 'status';
}

export interface ApplyOptions extends WriteOptions {
  /** Takes from other managers what they own. */
  readonly force: boolean;
}

export interface Written {
  readonly object: KubeObject;
  /** For Warning headers. */
  readonly warnings: readonly string[];
  /** For the audit log. */
  readonly annotations?: Remarks['annotations'];
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
      const object =
        options.subresource === 'status'
          ? onlyStatus(decoded.object, current.object)
          : checkedObject(kind, keepSystemFields(decoded.object, current.object), current.object);
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
    throw conflict(
      kind,
      name,
      `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${current.metadata.resourceVersion}`,
    );
}

const isNamedByPlane = (body: unknown): boolean => {
  const { name, generateName } = (body as Partial<KubeObject> | undefined)?.metadata ?? {};
  return !name && Boolean(generateName);
};

/** Somebody else made it since it was looked for. */
const cameBetween = (error: unknown): boolean =>
  error instanceof ApiError && error.reason === 'AlreadyExists';

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
