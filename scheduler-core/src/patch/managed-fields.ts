// Who owns which fields of an object: metadata.managedFields as it is stored, and as the rules of server-side apply
// see it. A write takes over what it changes; what it removes nobody owns any more.
import type { ManagedFieldsEntry } from '../schema/meta.ts';
import type { Schema } from '../schema/schema.ts';
import { type FieldError, invalid, required } from '../validation/field-error.ts';
import { type Comparison, compareFields } from './field-parts.ts';
import {
  difference,
  type FieldSet,
  fieldSet,
  fromFieldsV1,
  isEmpty,
  LEAF,
  NO_FIELDS,
  sameFields,
  toFieldsV1,
  union,
  withoutTrees,
} from './field-set.ts';

export interface Manager {
  readonly name: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  /** '' for the object itself. */
  readonly subresource: string;
}

export interface Ownership {
  readonly manager: Manager;
  readonly fields: FieldSet;
  /** When they were last changed. */
  readonly time: string | undefined;
}

export const isSameManager = (a: Manager, b: Manager): boolean =>
  a.name === b.name &&
  a.operation === b.operation &&
  a.apiVersion === b.apiVersion &&
  a.subresource === b.subresource;

/** What no client owns: the object's identity, and what only the plane sets. */
const UNOWNED = fieldSet(true, [
  ['f:apiVersion', LEAF],
  ['f:kind', LEAF],
  [
    'f:metadata',
    fieldSet(
      true,
      [
        'name',
        'namespace',
        'uid',
        'resourceVersion',
        'generation',
        'creationTimestamp',
        'deletionTimestamp',
        'deletionGracePeriodSeconds',
        'selfLink',
        'managedFields',
      ].map((field) => [`f:${field}`, LEAF]),
    ),
  ],
]);
const STATUS = fieldSet(false, [['f:status', LEAF]]);

/** The fields that a write to the object or to this subresource can own. */
export function ownable(fields: FieldSet, subresource: string): FieldSet {
  const known = difference(fields, UNOWNED);
  if (subresource === 'status')
    return fieldSet(
      false,
      [...known.children].filter(([element]) => element === 'f:status'),
    );
  return withoutTrees(known, STATUS);
}

export function readManagedFields(entries: readonly ManagedFieldsEntry[] | undefined): Ownership[] {
  return (entries ?? []).flatMap(({ manager, operation, apiVersion, subresource, fieldsV1, time }) => {
    const fields = fromFieldsV1(fieldsV1);
    if (!fields || (operation !== 'Apply' && operation !== 'Update')) return [];
    return [
      {
        manager: {
          name: manager ?? '',
          operation,
          apiVersion: apiVersion ?? '',
          subresource: subresource ?? '',
        },
        fields,
        time,
      },
    ];
  });
}

/** Appliers first, then by time, so that one set of owners is always written the same way. */
export function writeManagedFields(owners: readonly Ownership[]): ManagedFieldsEntry[] {
  return [...owners].sort(compareOwners).map(({ manager, fields, time }) => ({
    manager: manager.name,
    operation: manager.operation,
    apiVersion: manager.apiVersion,
    ...(time === undefined ? {} : { time }),
    fieldsType: 'FieldsV1',
    fieldsV1: toFieldsV1(fields),
    ...(manager.subresource === '' ? {} : { subresource: manager.subresource }),
  }));
}

const orderOf = ({ manager, time = '' }: Ownership): string =>
  [manager.operation, time, manager.name, manager.subresource, manager.apiVersion].join('\n');
const compareOwners = (a: Ownership, b: Ownership): number => (orderOf(a) < orderOf(b) ? -1 : 1);

/** What a client may write there, in Kubernetes' words. */
export function validateManagedFields(entries: readonly ManagedFieldsEntry[]): FieldError[] {
  return entries.flatMap(({ operation, fieldsType, fieldsV1, manager = '' }, index) => {
    const at = `metadata.managedFields[${index}]`;
    return [
      ...(operation === 'Apply' || operation === 'Update'
        ? []
        : [invalid(`${at}.operation`, operation ?? '', 'must be `Apply` or `Update`')]),
      ...(fieldsType === 'FieldsV1'
        ? []
        : [invalid(`${at}.fieldsType`, fieldsType ?? '', 'must be `FieldsV1`')]),
      ...(fromFieldsV1(fieldsV1 ?? {})
        ? []
        : [invalid(`${at}.fieldsV1`, '<fields>', 'is not a set of fields')]),
      ...validateManagerName(`${at}.manager`, manager),
    ];
  });
}

const LONGEST_NAME = 128;

export function validateManagerName(field: string, name: string): FieldError[] {
  if (name.length > LONGEST_NAME)
    return [
      { reason: 'FieldValueTooLong', field, message: `Too long: may not be more than ${LONGEST_NAME} bytes` },
    ];
  return /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u.test(name)
    ? []
    : [invalid(field, name, 'should only contain printable characters')];
}

export const requiredManager = (): FieldError => required('fieldManager', 'is required for apply patch');

/** Fields that another manager owns and this comparison takes from it. */
export const without = (owner: Ownership, { changed, removed }: Comparison, now: string): Ownership =>
  stamped(owner, withoutTrees(difference(owner.fields, changed), removed), now);

/** The time moves only when the fields do. */
export const stamped = (owner: Ownership, fields: FieldSet, now: string): Ownership =>
  sameFields(owner.fields, fields) ? owner : { ...owner, fields, time: now };

/** Who owns what after an ordinary write by `manager` that made `after` of `before`. */
export function trackUpdate(
  schema: Schema,
  before: unknown,
  after: unknown,
  owners: readonly Ownership[],
  manager: Manager,
  now: string,
): Ownership[] {
  const all = compareFields(schema, before, after);
  const comparison: Comparison = { changed: ownable(all.changed, manager.subresource), removed: all.removed };
  const mine = owners.find((owner) => isSameManager(owner.manager, manager)) ?? {
    manager,
    fields: NO_FIELDS,
    time: now,
  };
  const others = owners.filter((owner) => !isSameManager(owner.manager, manager));
  const kept = union(withoutTrees(mine.fields, comparison.removed), comparison.changed);
  // Others lose what they no longer own without a new time: it was not their write.
  const lost = others.map((owner) => ({ ...without(owner, comparison, now), time: owner.time }));
  return capped([...lost, stamped(mine, kept, now)].filter(({ fields }) => !isEmpty(fields)));
}

/** As Kubernetes: more are merged into one, the oldest first. */
const UPDATERS_LIMIT = 10;
const ANCIENT = 'ancient-changes';

function capped(owners: readonly Ownership[]): Ownership[] {
  const updaters = owners.filter(({ manager }) => manager.operation === 'Update').sort(compareOwners);
  const excess = updaters.length - UPDATERS_LIMIT;
  if (excess <= 0) return [...owners];
  const ancient = updaters.filter(({ manager }) => manager.name === ANCIENT);
  const oldest = updaters
    .filter(({ manager }) => manager.name !== ANCIENT)
    .slice(0, excess + 1 - ancient.length);
  const merged = [...ancient, ...oldest];
  const last = merged.at(-1) as Ownership;
  const fields = merged.reduce((sum, owner) => union(sum, owner.fields), NO_FIELDS);
  const one = { ...last, manager: { ...last.manager, name: ANCIENT, subresource: '' }, fields };
  return [...owners.filter((owner) => !merged.includes(owner)), one];
}
