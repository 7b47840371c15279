// Fills in the defaults that a schema states. Answers with a new value; what needs no default is shared.
import { isRecord } from './decode.ts';
import type { ObjectSchema, Schema } from './schema.ts';

export function applyDefaults(schema: Schema, value: unknown): unknown {
  if (value === undefined) return undefined;
  if (schema.type === 'list' && Array.isArray(value))
    return value.map((item) => applyDefaults(schema.items, item));
  if (schema.type === 'map' && isRecord(value))
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, applyDefaults(schema.values, item)]),
    );
  if (schema.type === 'object' && isRecord(value)) return defaultedObject(schema, value);
  return value;
}

function defaultedObject(schema: ObjectSchema, value: { readonly [field: string]: unknown }) {
  const result: { [field: string]: unknown } = { ...value };
  for (const [field, fieldSchema] of Object.entries(schema.fields)) {
    const given = isUnset(fieldSchema, result[field])
      ? (fieldSchema.default ?? result[field])
      : result[field];
    if (given !== undefined) result[field] = applyDefaults(fieldSchema, given);
  }
  return result;
}

/** Go cannot tell an empty text from an absent one, nor a zero where the field is no pointer. */
const isUnset = (schema: Schema, value: unknown): boolean =>
  value === undefined ||
  (schema.type === 'string' && value === '') ||
  (schema.type === 'integer' && schema.zeroIsUnset === true && value === 0);
