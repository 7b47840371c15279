// What of an object's metadata its deletion depends on: finalizers and owners. What was there before is let be.
import { sameJson } from '../canonical-json.ts';
import type { ObjectMeta, OwnerReference } from '../schema/meta.ts';
import { checked, type FieldError, forbidden, invalid } from './field-error.ts';
import { qualifiedNameProblem } from './names.ts';

export const validateDeletion = (metadata: ObjectMeta, old: ObjectMeta | undefined): FieldError[] => [
  ...validateFinalizers(metadata.finalizers ?? [], old),
  ...validateOwners(metadata.ownerReferences ?? [], old?.ownerReferences ?? []),
];

const FINALIZERS = 'metadata.finalizers';
const STANDARD_FINALIZERS = ['kubernetes', 'orphan', 'foregroundDeletion'];

function validateFinalizers(finalizers: readonly string[], old: ObjectMeta | undefined): FieldError[] {
  const before = new Set(old?.finalizers);
  const fresh = finalizers.filter((finalizer) => !before.has(finalizer));
  const both = finalizers.includes('orphan') && finalizers.includes('foregroundDeletion');
  return [
    ...fresh.flatMap((finalizer) => validateFinalizer(FINALIZERS, finalizer)),
    ...(both && fresh.length > 0
      ? [invalid(FINALIZERS, finalizers, 'finalizer foregroundDeletion and orphan cannot be both set')]
      : []),
    ...(old?.deletionTimestamp && fresh.length > 0
      ? [
          forbidden(
            FINALIZERS,
            `no new finalizers can be added if the object is being deleted, found new finalizers ${JSON.stringify(fresh)}`,
          ),
        ]
      : []),
  ];
}

export function validateFinalizer(field: string, finalizer: string): FieldError[] {
  const errors = checked(field, finalizer, qualifiedNameProblem);
  if (errors.length > 0 || finalizer.includes('/') || STANDARD_FINALIZERS.includes(finalizer)) return errors;
  return [invalid(field, finalizer, 'name is neither a standard finalizer name nor is it fully qualified')];
}

const OWNERS = 'metadata.ownerReferences';

function validateOwners(owners: readonly OwnerReference[], old: readonly OwnerReference[]): FieldError[] {
  if (sameJson(owners, old)) return [];
  const [first, second] = owners.filter(({ controller }) => controller).map(({ name }) => name);
  return [
    ...owners.flatMap(validateOwner),
    ...(first !== undefined && second !== undefined
      ? [
          invalid(
            OWNERS,
            owners,
            `Only one reference can have Controller set to true. Found "true" in references for ${first} and ${second}`,
          ),
        ]
      : []),
  ];
}

function validateOwner({ apiVersion, kind, name, uid }: OwnerReference): FieldError[] {
  const given = { kind, name, uid };
  return [
    ...(/^([^/]+\/)?[^/]+$/.test(apiVersion)
      ? []
      : [invalid(`${OWNERS}.apiVersion`, apiVersion, 'version must not be empty')]),
    ...Object.entries(given).flatMap(([field, value]) =>
      value === '' ? [invalid(`${OWNERS}.${field}`, value, 'must not be empty')] : [],
    ),
    ...(kind === 'Event' && (apiVersion === 'v1' || apiVersion === 'events.k8s.io/v1')
      ? [invalid(OWNERS, `${apiVersion}, Kind=${kind}`, `${kind} is disallowed from being an owner`)]
      : []),
  ];
}
