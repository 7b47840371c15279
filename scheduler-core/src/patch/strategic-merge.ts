// Kubernetes' strategic merge patch: lists of known kinds merge by key, and directives ($patch, $retainKeys,
// $setElementOrder, $deleteFromPrimitiveList) say what a plain merge could not.
import { canonicalJson } from '../canonical-json.ts';
import { define, isRecord } from '../schema/decode.ts';
import type { ListSchema, Schema } from '../schema/schema.ts';

type Json = { readonly [key: string]: unknown };
export type PatchResult = { readonly value: unknown } | { readonly problem: string };

/** Carries a malformed patch out of the recursion; never leaves this file. */
class MalformedPatch extends Error {}

const REMOVED = Symbol('removed');
const ORDER = '$setElementOrder/';
const DELETE_PRIMITIVES = '$deleteFromPrimitiveList/';

export function applyStrategicMerge(schema: Schema, current: unknown, patch: unknown): PatchResult {
  if (!isRecord(patch)) return { problem: 'a strategic merge patch must be an object' };
  try {
    const merged = mergeObject(schema, isRecord(current) ? current : {}, patch);
    return { value: merged === REMOVED ? {} : merged };
  } catch (error) {
    if (error instanceof MalformedPatch) return { problem: error.message };
    throw error;
  }
}

function mergeObject(schema: Schema | undefined, current: Json, patch: Json): unknown {
  const directive = patch.$patch;
  if (directive === 'delete') return REMOVED;
  if (directive === 'replace') return withoutDirectives(patch);
  if (directive !== undefined && directive !== 'merge')
    throw new MalformedPatch(`unknown $patch type: ${JSON.stringify(directive)}`);
  const result: { [key: string]: unknown } = retained(current, patch.$retainKeys);
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith(DELETE_PRIMITIVES)) dropPrimitives(result, key.slice(DELETE_PRIMITIVES.length), value);
    else if (!key.startsWith('$')) mergeField(result, key, value, fieldSchema(schema, key));
  }
  for (const [key, order] of Object.entries(patch)) {
    const field = key.startsWith(ORDER) ? key.slice(ORDER.length) : undefined;
    if (field !== undefined && Array.isArray(result[field]))
      result[field] = ordered(result[field], order, current[field], mergeKeyOf(fieldSchema(schema, field)));
  }
  return result;
}

function mergeField(
  result: { [key: string]: unknown },
  key: string,
  value: unknown,
  schema: Schema | undefined,
): void {
  if (value === null) {
    delete result[key];
    return;
  }
  const current = Object.hasOwn(result, key) ? result[key] : undefined;
  const merged = mergeValue(schema, current, value);
  if (merged === REMOVED) delete result[key];
  else define(result, key, merged);
}

function mergeValue(schema: Schema | undefined, current: unknown, patch: unknown): unknown {
  if (isRecord(patch)) return mergeObject(schema, isRecord(current) ? current : {}, patch);
  if (!Array.isArray(patch)) return patch;
  if (schema?.type !== 'list' || schema.mergeKey === undefined) return patch.map(withoutDirectives);
  const base = Array.isArray(current) ? current : [];
  const merged =
    schema.mergeKey === ''
      ? [...new Set([...base, ...patch])]
      : mergeListByKey(schema, schema.mergeKey, base, patch);
  // As Kubernetes: without $setElementOrder the patch gives the order, and what is new comes first.
  return ordered(merged, patch, base, schema.mergeKey);
}

function mergeListByKey(
  schema: ListSchema,
  key: string,
  current: readonly unknown[],
  patch: readonly unknown[],
): unknown[] {
  const items = patch.map((item) => keyedItem(item, key));
  const replaces = items.some((item) => item.$patch === 'replace' && item[key] === undefined);
  if (replaces) return items.filter((item) => item.$patch !== 'replace').map(withoutDirectives);
  const result: unknown[] = [...current];
  const places = placesByKey(current, key);
  for (const item of items) {
    const known = places.get(item[key]) ?? [];
    const [place = result.length] = known;
    const before = result[place];
    result[place] = mergeObject(schema.items, isRecord(before) ? before : {}, item);
    if (result[place] === REMOVED) known.shift();
    else if (known.length === 0) places.set(item[key], [place]);
  }
  return result.filter((item) => item !== REMOVED);
}

/** Where the items of a key are; a list that nobody checked may have several. */
function placesByKey(items: readonly unknown[], key: string): Map<unknown, number[]> {
  const places = new Map<unknown, number[]>();
  for (const [place, item] of items.entries()) {
    if (!isRecord(item)) continue;
    const known = places.get(item[key]);
    if (known) known.push(place);
    else places.set(item[key], [place]);
  }
  return places;
}

function keyedItem(item: unknown, key: string): Json {
  if (!isRecord(item)) throw new MalformedPatch(`list items of a strategic merge patch must be objects`);
  if (item[key] === undefined && item.$patch !== 'replace')
    throw new MalformedPatch(`map: ${canonicalJson(item)} does not contain declared merge key: ${key}`);
  return item;
}

/** Listed items in the order given; the others keep their place among them. */
function ordered(
  items: readonly unknown[],
  order: unknown,
  before: unknown,
  key: string | undefined,
): unknown[] {
  if (!Array.isArray(order)) throw new MalformedPatch('$setElementOrder must be a list');
  const identity = (item: unknown): unknown => (key && isRecord(item) ? item[key] : item);
  const wanted = firstPlaces(order.map(identity));
  const server = firstPlaces(Array.isArray(before) ? before.map(identity) : []);
  const rank = (item: unknown): number => wanted.get(identity(item)) ?? -1;
  const listed = items.filter((item) => rank(item) >= 0).sort((a, b) => rank(a) - rank(b));
  const others = items.filter((item) => rank(item) < 0);
  const result: unknown[] = [];
  for (let next = 0, other = 0; next < listed.length || other < others.length; ) {
    const left = server.get(identity(others[other])) ?? -1;
    const right = server.get(identity(listed[next])) ?? -1;
    const takeOther =
      next === listed.length || (other < others.length && left >= 0 && right >= 0 && left < right);
    result.push(takeOther ? others[other++] : listed[next++]);
  }
  return result;
}

const firstPlaces = (values: readonly unknown[]): Map<unknown, number> =>
  new Map(values.map((value, place): [unknown, number] => [value, place]).reverse());

function retained(current: Json, keys: unknown): { [key: string]: unknown } {
  if (keys === undefined) return { ...current };
  if (!Array.isArray(keys)) throw new MalformedPatch('$retainKeys must be a list');
  return Object.fromEntries(Object.entries(current).filter(([key]) => keys.includes(key)));
}

function dropPrimitives(result: { [key: string]: unknown }, field: string, values: unknown): void {
  const list = result[field];
  if (!Array.isArray(values)) throw new MalformedPatch(`${DELETE_PRIMITIVES}${field} must be a list`);
  const dropped = new Set(values);
  if (Array.isArray(list)) result[field] = list.filter((item) => !dropped.has(item));
}

function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDirectives);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, item]) => !key.startsWith('$') && item !== null)
      .map(([key, item]) => [key, withoutDirectives(item)]),
  );
}

export function fieldSchema(schema: Schema | undefined, field: string): Schema | undefined {
  if (schema?.type === 'map') return schema.values;
  return schema?.type === 'object' && Object.hasOwn(schema.fields, field) ? schema.fields[field] : undefined;
}

const mergeKeyOf = (schema: Schema | undefined): string | undefined =>
  schema?.type === 'list' ? schema.mergeKey : undefined;
