// One object on its way into the store: decoded, named, checked, and without what clients have no say in.
import { randomUUID } from 'node:crypto';
import { generatedName } from '@fleetset/scheduler-core/generated-name';
import { decode } from '@fleetset/scheduler-core/schema/decode';
import type { ObjectMeta } from '@fleetset/scheduler-core/schema/meta';
import { validateDeletion, validateFinalizer } from '@fleetset/scheduler-core/validation/deletion';
import { apiVersionOf, type Kind, type KubeObject } from '../kinds/kind.ts';
import { badRequest, conflict, invalidObject } from './api-error.ts';
import type { WriteOptions } from './object-options.ts';

export function decodeObject(kind: Kind, body: unknown, options: WriteOptions) {
  const decoded = decode(kind.schema, body);
  const handled = `${kind.kind} in version "v1" cannot be handled as a ${kind.kind}`;
  if (decoded.errors.length > 0) throw badRequest(`${handled}: ${decoded.errors.join(', ')}`);
  const unknown = [
    ...decoded.unknown.map((path) => `unknown field ${JSON.stringify(path)}`),
    ...(options.fieldValidation === 'Ignore' ? [] : (options.duplicates?.() ?? [])).map(
      (path) => `duplicate field ${JSON.stringify(path)}`,
    ),
  ];
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
export function checkedObject(kind: Kind, object: KubeObject, old: KubeObject | undefined): KubeObject {
  const defaulted = kind.rules?.setDefaults?.(object) ?? object;
  const prepared = kind.rules?.prepare?.(defaulted, old) ?? defaulted;
  const errors = [
    ...(kind.rules?.validate?.(prepared, old) ?? []),
    ...validateDeletion(prepared.metadata, old?.metadata),
  ];
  if (errors.length > 0) throw invalidObject(kind, prepared.metadata.name ?? '', errors);
  return prepared;
}

export function withIdentity(
  kind: Kind,
  namespace: string | undefined,
  object: KubeObject,
  now: string,
  pick: (below: number) => number,
): KubeObject {
  const { metadata } = object;
  if (metadata.namespace && kind.namespaced && metadata.namespace !== namespace)
    throw badRequest(
      `the namespace of the provided object does not match the namespace sent on the request (${metadata.namespace} and ${namespace})`,
    );
  if (metadata.resourceVersion)
    throw badRequest('resourceVersion should not be set on objects to be created');
  const name =
    metadata.name || (metadata.generateName ? generatedName(metadata.generateName, pick) : undefined);
  const { managedFields, selfLink, generation, deletionTimestamp, deletionGracePeriodSeconds, ...given } =
    metadata;
  // Go's clients write what was not set as an empty text in protobuf.
  const kept = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ''));
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

export function requireName(name: string | undefined, onUrl: string): void {
  if (!name)
    throw badRequest(
      `the name of the object (${onUrl} based on URL) was undeterminable: name must be provided`,
    );
  if (name !== onUrl)
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${onUrl})`);
}

export function requireSameIdentity(kind: Kind, object: KubeObject, current: KubeObject): void {
  const { namespace, uid, resourceVersion } = object.metadata;
  requireName(object.metadata.name, current.metadata.name ?? '');
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

/** What becomes of `current` by a write of `wanted`, to all of it or to a part. */
export function changedObject(
  kind: Kind,
  wanted: KubeObject,
  current: KubeObject,
  { subresource }: WriteOptions,
): KubeObject {
  if (subresource === 'status') return onlyStatus(wanted, current);
  const object = checkedObject(kind, keepSystemFields(wanted, current), current);
  return subresource === 'finalize' ? withFinalizersOfSpec(kind, object, wanted) : object;
}

/** They are kept from every other write. */
function withFinalizersOfSpec(kind: Kind, object: KubeObject, { spec = {} }: KubeObject): KubeObject {
  const { finalizers = [] } = spec as { readonly finalizers?: readonly string[] };
  const errors = finalizers.flatMap((name, index) => validateFinalizer(`spec.finalizers[${index}]`, name));
  if (errors.length > 0) throw invalidObject(kind, object.metadata.name ?? '', errors);
  return { ...object, spec: finalizers.length > 0 ? { finalizers } : {} };
}

/** Of a write to the status: everything else stays. */
function onlyStatus({ status }: KubeObject, current: KubeObject): KubeObject {
  const { status: _before, ...rest } = current;
  return status === undefined ? rest : { ...rest, status };
}

/** A version, or owners of fields, in what is made of it then came from the patch, and have to be honoured. */
export function withoutVersion(current: KubeObject): KubeObject {
  const { resourceVersion, managedFields, ...metadata } = current.metadata;
  return { ...current, metadata };
}
