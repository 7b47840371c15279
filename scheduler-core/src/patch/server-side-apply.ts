// Server-side apply: a configuration is laid over the object that is there, unless it would overwrite what others
// own; then the object's owners are those of before, less what was taken, and the applier owns what it applied.
import type { Schema } from '../schema/schema.ts';
import { compareFields, fieldsOf } from './field-parts.ts';
import {
  difference,
  type FieldSet,
  formatFieldPath,
  intersection,
  isEmpty,
  pathsOf,
  union,
} from './field-set.ts';
import { isSameManager, type Manager, type Ownership, ownable, stamped, without } from './managed-fields.ts';
import { findDoubled, mergeApplied, pruneApplied } from './merge-applied.ts';

export interface Application {
  readonly schema: Schema;
  /** Undefined when the object is made by this. */
  readonly live: unknown;
  /** Only the fields that the applier wants to set. */
  readonly config: unknown;
  readonly owners: readonly Ownership[];
  readonly manager: Manager;
  /** Takes from others what they own. */
  readonly force: boolean;
  readonly now: string;
}

export interface Conflict {
  readonly manager: Manager;
  readonly fields: FieldSet;
}

export type Applied =
  | { readonly value: unknown; readonly owners: readonly Ownership[] }
  | { readonly conflicts: readonly Conflict[] }
  /** The configuration is malformed. */
  | { readonly problem: string };

export function applyConfiguration(application: Application): Applied {
  const { schema, live = {}, config, owners, manager, force, now } = application;
  const problem = findDoubled(schema, config);
  if (problem) return { problem };
  const mine = owners.find((owner) => isSameManager(owner.manager, manager));
  const others = owners.filter((owner) => owner !== mine);
  const fields = ownable(fieldsOf(schema, config), manager.subresource);
  const owned = others.reduce((sum, owner) => union(sum, owner.fields), fields);
  const merged = mergeApplied(schema, live, config);
  const value = mine ? pruneApplied(schema, merged, mine.fields, owned) : merged;
  const comparison = compareFields(schema, live, value);
  const conflicts = others
    .map((owner) => ({ manager: owner.manager, fields: intersection(owner.fields, comparison.changed) }))
    .filter((conflict) => !isEmpty(conflict.fields));
  if (conflicts.length > 0 && !force) return { conflicts };
  const applier = mine ? stamped(mine, fields, now) : { manager, fields, time: now };
  const left = others.map((owner) => ({ ...without(owner, comparison, now), time: owner.time }));
  return { value, owners: [...left, applier].filter((owner) => !isEmpty(owner.fields)) };
}

/** What of a conflict is left when these fields may be overwritten; an empty list: nothing. */
export const conflictsBeyond = (conflicts: readonly Conflict[], allowed: FieldSet): Conflict[] =>
  conflicts
    .map((conflict) => ({ ...conflict, fields: difference(conflict.fields, allowed) }))
    .filter(({ fields }) => !isEmpty(fields));

/** The fields of `config` that the object still has as it says. */
export function fieldsInForce(schema: Schema, config: unknown, live: unknown): FieldSet {
  const { changed } = compareFields(schema, live, mergeApplied(schema, live, config));
  return difference(fieldsOf(schema, config), changed);
}

export interface ConflictText {
  readonly message: string;
  readonly causes: readonly { readonly field: string; readonly message: string }[];
}

/** In Kubernetes' words, which clients take apart. */
export function describeConflicts(conflicts: readonly Conflict[]): ConflictText {
  const named = [...conflicts]
    .map(({ manager, fields }) => ({
      name: formatManager(manager),
      paths: [...pathsOf(fields)].map(formatFieldPath),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const causes = named.flatMap(({ name, paths }) =>
    paths.map((field) => ({ field, message: `conflict with ${name}` })),
  );
  const [first] = causes;
  const message =
    first && causes.length === 1
      ? `Apply failed with 1 conflict: ${first.message}: ${first.field}`
      : `Apply failed with ${causes.length} conflicts: ${named
          .map(({ name, paths }) =>
            [`conflicts with ${name}:`, ...paths.map((path) => `- ${path}`)].join('\n'),
          )
          .join('\n')}`;
  return { message, causes };
}

function formatManager({ name, operation, apiVersion, subresource }: Manager): string {
  const through = subresource === '' ? '' : ` with subresource ${JSON.stringify(subresource)}`;
  return `${JSON.stringify(name)}${through}${operation === 'Update' ? ` using ${apiVersion}` : ''}`;
}
