// What an object becomes when a manifest is applied to it, as `kubectl apply` has it: what the manifest says wins,
// what the manifest applied last said and this one does not goes, what others set stays.
import { isRecord } from '../schema/decode.ts';
import type { Schema } from '../schema/schema.ts';
import { applyStrategicMerge, fieldSchema, type PatchResult } from './strategic-merge.ts';

type Json = { readonly [key: string]: unknown };

/** Where kubectl keeps the manifest it applied last. */
export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** `lastApplied`: undefined when nobody ever applied one. */
export const applyManifest = (
  schema: Schema,
  current: unknown,
  manifest: Json,
  lastApplied: unknown,
): PatchResult =>
  applyStrategicMerge(
    schema,
    current,
    isRecord(lastApplied) ? withDeletions(schema, lastApplied, manifest) : manifest,
  );

/** The manifest as a strategic merge patch that also says what is no longer in it. */
function withDeletions(schema: Schema | undefined, before: Json, after: Json): Json {
  const patch: { [key: string]: unknown } = { ...after };
  for (const [key, old] of Object.entries(before)) {
    const field = fieldSchema(schema, key);
    const now = after[key];
    if (!Object.hasOwn(after, key)) patch[key] = null;
    else if (isRecord(old) && isRecord(now)) patch[key] = withDeletions(field, old, now);
    else if (Array.isArray(old) && Array.isArray(now) && field?.type === 'list') {
      if (field.mergeKey === '')
        patch[`$deleteFromPrimitiveList/${key}`] = old.filter((item) => !now.includes(item));
      else if (field.mergeKey !== undefined)
        patch[key] = listWithDeletions(field.items, field.mergeKey, old, now);
    }
  }
  return patch;
}

function listWithDeletions(
  schema: Schema,
  key: string,
  before: readonly unknown[],
  after: readonly unknown[],
): unknown[] {
  const find = (list: readonly unknown[], item: unknown) =>
    list.filter(isRecord).find((other) => isRecord(item) && other[key] === item[key]);
  const gone = before.filter(isRecord).filter((item) => item[key] !== undefined && !find(after, item));
  return [
    ...after.map((item) => {
      const old = find(before, item);
      return old && isRecord(item) ? withDeletions(schema, old, item) : item;
    }),
    ...gone.map((item) => ({ [key]: item[key], $patch: 'delete' })),
  ];
}
