// Who owns an object's fields after a write through the API, and what a server-side apply makes of it.

import { LAST_APPLIED } from '@fleetset/scheduler-core/patch/apply-manifest';
import {
  type Manager,
  type Ownership,
  readManagedFields,
  trackUpdate,
  validateManagedFields,
  writeManagedFields,
} from '@fleetset/scheduler-core/patch/managed-fields';
import {
  type Applied,
  applyConfiguration,
  conflictsBeyond,
  describeConflicts,
  fieldsInForce,
} from '@fleetset/scheduler-core/patch/server-side-apply';
import { decodePartial, isRecord } from '@fleetset/scheduler-core/schema/decode';
import type { ManagedFieldsEntry } from '@fleetset/scheduler-core/schema/meta';
import { apiVersionOf, type Kind, type KubeObject } from '../kinds/kind.ts';
import { ApiError, badRequest, invalidObject } from './api-error.ts';
import type { WriteOptions } from './object-options.ts';
import { withoutVersion } from './prepare-object.ts';

/** Of writes that the plane itself makes. */
const PLANE = 'fleetset';
/** The manager of `kubectl apply --server-side`, which takes over from `kubectl apply`. */
const KUBECTL = 'kubectl';

const managerOf = (kind: Kind, operation: Manager['operation'], options: WriteOptions): Manager => ({
  name: options.manager ?? PLANE,
  operation,
  apiVersion: apiVersionOf(kind),
  subresource: options.subresource ?? '',
});

/** The object with the owners that it has after an ordinary write. `requested`: as the client sent it. */
export function withOwners(
  kind: Kind,
  object: KubeObject,
  before: KubeObject | undefined,
  requested: KubeObject,
  options: WriteOptions,
  now: string,
): KubeObject {
  const base = requestedOwners(kind, requested, before, options);
  const manager = managerOf(kind, 'Update', options);
  return withManagedFields(object, trackUpdate(kind.schema, before ?? {}, object, base, manager, now));
}

export function withManagedFields(object: KubeObject, owners: readonly Ownership[]): KubeObject {
  const { managedFields: _before, ...metadata } = object.metadata;
  const entries = writeManagedFields(owners);
  return { ...object, metadata: entries.length > 0 ? { ...metadata, managedFields: entries } : metadata };
}

/** A client may rewrite the owners; one empty entry stands for none. Who leaves them out leaves them alone. */
function requestedOwners(
  kind: Kind,
  { metadata }: KubeObject,
  before: KubeObject | undefined,
  { subresource }: WriteOptions,
): Ownership[] {
  const entries = metadata.managedFields ?? [];
  if (subresource || entries.length === 0) return readManagedFields(before?.metadata.managedFields);
  if (entries.length === 1 && isBlank(entries[0])) return [];
  const errors = validateManagedFields(entries);
  if (errors.length > 0) throw invalidObject(kind, metadata.name ?? before?.metadata.name ?? '', errors);
  return readManagedFields(entries);
}

const isBlank = (entry: ManagedFieldsEntry | undefined): boolean => Object.keys(entry ?? {}).length === 0;

export interface AppliedBody {
  /** What the object is to be; still to be decoded and checked. */
  readonly body: KubeObject;
  readonly owners: readonly Ownership[];
}

/** Throws the conflict when others own what would change. */
export function applyBody(
  kind: Kind,
  namespace: string | undefined,
  name: string,
  current: KubeObject | undefined,
  config: unknown,
  options: WriteOptions & { readonly force: boolean },
  now: string,
): AppliedBody {
  const wanted = readConfiguration(kind, namespace, name, config, options);
  const manager = managerOf(kind, 'Apply', options);
  const application = {
    schema: kind.schema,
    live: current && withoutVersion(current),
    config: wanted,
    owners: readManagedFields(current?.metadata.managedFields),
    manager,
    now,
  };
  let applied = applyConfiguration({ ...application, force: options.force });
  if ('conflicts' in applied && takesOver(kind, applied.conflicts, manager, current))
    applied = applyConfiguration({ ...application, force: true });
  if ('problem' in applied) throw badRequest(cannotType(kind, namespace, name, applied.problem));
  if ('conflicts' in applied) throw applyConflict(applied.conflicts);
  return { body: withLastApplied(applied.value as KubeObject, config, manager), owners: applied.owners };
}

const cannotType = (kind: Kind, namespace: string | undefined, name: string, why: string): string =>
  `failed to create typed patch object (${namespace ? `${namespace}/` : ''}${name}; ${apiVersionOf(kind)}, Kind=${kind.kind}): ${why}`;

function readConfiguration(
  kind: Kind,
  namespace: string | undefined,
  name: string,
  config: unknown,
  options: WriteOptions,
): KubeObject {
  if (isRecord(config) || config === null) requireType(kind, config);
  const { value, unknown, errors } = decodePartial(kind.schema, config);
  if (unknown.length > 0) {
    const texts = unknown.map((path) => `.${path}: field not declared in schema`);
    throw badRequest(cannotType(kind, namespace, name, texts.join(', ')));
  }
  if (errors.length > 0) throw badRequest(cannotType(kind, namespace, name, errors.join(', ')));
  const { metadata = {}, status, ...rest } = value as Partial<KubeObject>;
  if (metadata.managedFields?.length) throw badRequest('metadata.managedFields must be nil');
  const object = { ...rest, metadata: { name, ...(namespace ? { namespace } : {}), ...metadata } };
  if (options.subresource === 'status') return { metadata: object.metadata, ...(status ? { status } : {}) };
  return kind.rules?.readApplied?.(object) ?? object;
}

/** A configuration says itself what it is of. */
function requireType(kind: Kind, config: unknown): void {
  const given = (field: string) =>
    isRecord(config) && typeof config[field] === 'string' ? config[field] : '';
  const version = given('apiVersion');
  if (version === apiVersionOf(kind) && given('kind') === kind.kind) return;
  const named = version.includes('/') ? version : `/${version}`;
  throw badRequest(`invalid object type: ${named}, Kind=${given('kind')}`);
}

const applyConflict = (conflicts: Parameters<typeof describeConflicts>[0]): ApiError => {
  const { message, causes } = describeConflicts(conflicts);
  return new ApiError(409, 'Conflict', message, {
    causes: causes.map((cause) => ({ reason: 'FieldManagerConflict', ...cause })),
  });
};

/** As Kubernetes: what kubectl itself applied before, from the client's side, it may go on with. */
function takesOver(
  kind: Kind,
  conflicts: Extract<Applied, { conflicts: unknown }>['conflicts'],
  manager: Manager,
  current: KubeObject | undefined,
): boolean {
  const last = current && lastApplied(current);
  if (manager.name !== KUBECTL || !last) return false;
  const { value } = decodePartial(kind.schema, last);
  return conflictsBeyond(conflicts, fieldsInForce(kind.schema, value, current)).length === 0;
}

function lastApplied({ metadata }: KubeObject): unknown {
  try {
    const manifest: unknown = JSON.parse(metadata.annotations?.[LAST_APPLIED] ?? 'null');
    return isRecord(manifest) ? manifest : undefined;
  } catch {
    return undefined;
  }
}

/** So that somebody who goes back to client-side apply starts from what was applied last. */
function withLastApplied(object: KubeObject, config: unknown, manager: Manager): KubeObject {
  const { annotations } = object.metadata;
  if (manager.name !== KUBECTL || annotations?.[LAST_APPLIED] === undefined) return object;
  const text = `${JSON.stringify(config)}\n`;
  return {
    ...object,
    metadata: { ...object.metadata, annotations: { ...annotations, [LAST_APPLIED]: text } },
  };
}
