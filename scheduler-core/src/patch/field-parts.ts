// Takes a value apart as server-side apply does, by its schema: which fields it has, and how two values differ.
import { canonicalJson, sameJson } from '../canonical-json.ts';
import { applyDefaults } from '../schema/apply-defaults.ts';
import { isRecord } from '../schema/decode.ts';
import type { ListSchema, Schema } from '../schema/schema.ts';
import { type FieldSet, fieldSet, LEAF, NO_FIELDS, union } from './field-set.ts';

export interface Part {
  readonly schema: Schema | undefined;
  /** Several items of a list that have the same keys count as one value. */
  readonly values: readonly unknown[];
}

/** What a value consists of, by path element; undefined when it is one value with one owner. */
export function partsOf(schema: Schema | undefined, value: unknown): Map<string, Part> | undefined {
  if (schema?.type === 'list' && schema.mapKeys && Array.isArray(value)) return itemsOf(schema, value);
  if (!isRecord(value) || (schema?.type !== 'object' && schema?.type !== 'map') || schema.atomic)
    return undefined;
  return new Map(
    Object.entries(value).map(([field, item]) => [
      `f:${field}`,
      { schema: schema.type === 'map' ? schema.values : schema.fields[field], values: [item] },
    ]),
  );
}

function itemsOf(schema: ListSchema, items: readonly unknown[]): Map<string, Part> {
  const parts = new Map<string, { schema: Schema; values: unknown[] }>();
  for (const item of items) {
    const element = elementOf(schema, item);
    const part = parts.get(element);
    if (part) part.values.push(item);
    else parts.set(element, { schema: schema.items, values: [item] });
  }
  return parts;
}

/** The keys of an item in the order of their names; a key that is absent counts as its default. */
export function elementOf(schema: ListSchema, item: unknown): string {
  const { mapKeys = [], items } = schema;
  if (mapKeys.length === 0) return `v:${canonicalJson(item)}`;
  const fields = items.type === 'object' ? items.fields : {};
  const keys = mapKeys.map((key) => [
    key,
    (isRecord(item) ? item[key] : null) ?? fields[key]?.default ?? null,
  ]);
  return `k:${canonicalJson(Object.fromEntries(keys))}`;
}

const isItem = (element: string): boolean => !element.startsWith('f:');
const isBare = (value: unknown): boolean => isRecord(value) && Object.keys(value).length === 0;

/** All fields of a value: what is one value, items of lists, and what is there but empty. */
export function fieldsOf(schema: Schema | undefined, value: unknown): FieldSet {
  const parts = partsOf(schema, value);
  if (!parts) return LEAF;
  return fieldSet(
    isBare(value),
    [...parts].map(([element, part]) => [element, fieldsOfPart(element, part)]),
  );
}

function fieldsOfPart(element: string, { schema, values }: Part): FieldSet {
  const beneath = values.length === 1 ? fieldsOf(schema, values[0]) : LEAF;
  return isItem(element) ? union(beneath, LEAF) : beneath;
}

export interface Comparison {
  /** Fields that are new, or have another value. */
  readonly changed: FieldSet;
  /** Fields that are gone, with all that was beneath them. */
  readonly removed: FieldSet;
}

const SAME: Comparison = { changed: NO_FIELDS, removed: NO_FIELDS };

/** What is left out of a value that has one owner, and has a default, is no difference. */
const isSameValue = (schema: Schema | undefined, a: unknown, b: unknown): boolean =>
  sameJson(a, b) || (schema !== undefined && sameJson(applyDefaults(schema, a), applyDefaults(schema, b)));

export function compareFields(schema: Schema | undefined, before: unknown, after: unknown): Comparison {
  const old = partsOf(schema, before);
  const now = partsOf(schema, after);
  if (!old || !now) return isSameValue(schema, before, after) ? SAME : { changed: LEAF, removed: NO_FIELDS };
  const elements = [...new Set([...old.keys(), ...now.keys()])];
  const compared = elements.map(
    (element) => [element, comparePart(element, old.get(element), now.get(element))] as const,
  );
  return {
    changed: fieldSet(
      false,
      compared.map(([element, { changed }]) => [element, changed]),
    ),
    removed: fieldSet(
      false,
      compared.map(([element, { removed }]) => [element, removed]),
    ),
  };
}

function comparePart(element: string, old: Part | undefined, now: Part | undefined): Comparison {
  if (!now) return { changed: NO_FIELDS, removed: LEAF };
  if (!old) return { changed: fieldsOfPart(element, now), removed: NO_FIELDS };
  if (old.values.length === 1 && now.values.length === 1)
    return compareFields(now.schema, old.values[0], now.values[0]);
  return sameJson(old.values, now.values) ? SAME : { changed: LEAF, removed: NO_FIELDS };
}
