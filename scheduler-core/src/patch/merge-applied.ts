// What an object becomes when a configuration is applied to it on the server: the configuration's fields are set, and
// what the applier set before, sets no more, and nobody else owns goes.
import { define, isRecord } from '../schema/decode.ts';
import type { ListSchema, Schema } from '../schema/schema.ts';
import { elementOf, type Part, partsOf } from './field-parts.ts';
import { childOf, type FieldSet, formatFieldPath, isEmpty } from './field-set.ts';

/** Two items of one list in the configuration that cannot be told apart: their list and their keys, or undefined. */
export function findDoubled(schema: Schema | undefined, config: unknown, path = ''): string | undefined {
  for (const [element, { schema: inner, values }] of partsOf(schema, config) ?? []) {
    if (values.length > 1) return `${path}: duplicate entries for key ${formatFieldPath([element])}`;
    const found = findDoubled(inner, values[0], path + formatFieldPath([element]));
    if (found) return found;
  }
  return undefined;
}

/** `config` has no doubled items. */
export function mergeApplied(schema: Schema | undefined, live: unknown, config: unknown): unknown {
  const parts = partsOf(schema, config);
  const before = partsOf(schema, live);
  if (!parts || !before) return config;
  if (schema?.type === 'list') return mergeLists(schema, before, parts);
  const result: { [field: string]: unknown } = { ...(live as object) };
  for (const [element, part] of parts) {
    const field = element.slice(2);
    define(result, field, mergeApplied(part.schema, before.get(element)?.values[0], part.values[0]));
  }
  return result;
}

/** Items of the configuration in its order; the others stay where they were, before what is new. */
function mergeLists(
  schema: ListSchema,
  live: ReadonlyMap<string, Part>,
  config: ReadonlyMap<string, Part>,
): unknown[] {
  const result: unknown[] = [];
  const waiting = [...live.keys()];
  const taken = new Set<string>();
  let next = 0;
  const takeOthers = () => {
    for (let element = waiting[next]; element !== undefined; element = waiting[next]) {
      if (config.has(element) && !taken.has(element)) return;
      if (!config.has(element)) for (const value of live.get(element)?.values ?? []) result.push(value);
      next += 1;
    }
  };
  for (const [element, { values }] of config) {
    takeOthers();
    const [old, ...doubles] = live.get(element)?.values ?? [];
    result.push(doubles.length > 0 ? values[0] : mergeApplied(schema.items, old, values[0]));
    taken.add(element);
  }
  takeOthers();
  return result;
}

/** `last`: what the applier applied before. `owned`: what anybody owns now, the applier included. */
export function pruneApplied(
  schema: Schema | undefined,
  value: unknown,
  last: FieldSet,
  owned: FieldSet,
): unknown {
  const parts = partsOf(schema, value);
  if (!parts || last.children.size === 0) return value;
  if (schema?.type === 'list') return pruneList(schema, value as unknown[], parts, last, owned);
  const result: { [field: string]: unknown } = {};
  for (const [element, part] of parts) {
    const kept = prunePart(element, part.schema, part.values[0], last, owned);
    if (kept !== GONE) define(result, element.slice(2), kept);
  }
  return result;
}

function pruneList(
  schema: ListSchema,
  items: readonly unknown[],
  parts: ReadonlyMap<string, Part>,
  last: FieldSet,
  owned: FieldSet,
): unknown[] {
  return items
    .map((item) => {
      const element = elementOf(schema, item);
      const single = parts.get(element)?.values.length === 1;
      return prunePart(element, single ? schema.items : undefined, item, last, owned);
    })
    .filter((item) => item !== GONE);
}

const GONE = Symbol('gone');

function prunePart(
  element: string,
  schema: Schema | undefined,
  value: unknown,
  last: FieldSet,
  owned: FieldSet,
): unknown {
  const before = childOf(last, element);
  const now = childOf(owned, element);
  if (isEmpty(before)) return value;
  const isItem = !element.startsWith('f:');
  // As Kubernetes: an item goes whole, whatever others changed in it, unless one of them applies it too.
  if (before.own && !now.own && (isItem || isEmpty(now))) return GONE;
  const kept = pruneApplied(schema, value, before, now);
  return !isItem && isBare(kept) && !isBare(value) ? GONE : kept;
}

const isBare = (value: unknown): boolean =>
  Array.isArray(value) ? value.length === 0 : isRecord(value) && Object.keys(value).length === 0;
