// Which fields of an object change, by their paths. Items of lists that Kubernetes merges by a key are told by that
// key: containers[name="main"].
import { canonicalJson, sameJson } from '@fleetset/scheduler-core/canonical-json';
import { fieldSchema } from '@fleetset/scheduler-core/patch/strategic-merge';
import { isRecord } from '@fleetset/scheduler-core/schema/decode';
import type { Schema } from '@fleetset/scheduler-core/schema/schema';

export interface FieldChange {
  readonly path: string;
  /** Absent: the field is new. */
  readonly before?: unknown;
  /** Absent: the field goes. */
  readonly after?: unknown;
}

export function changedFields(
  schema: Schema | undefined,
  before: unknown,
  after: unknown,
  path = '',
): FieldChange[] {
  if (sameJson(before, after)) return [];
  if (isRecord(before) && isRecord(after))
    return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) =>
      changedFields(fieldSchema(schema, key), before[key], after[key], withKey(path, key)),
    );
  if (Array.isArray(before) && Array.isArray(after)) return changedItems(schema, before, after, path);
  return [{ path, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) }];
}

function changedItems(
  schema: Schema | undefined,
  before: readonly unknown[],
  after: readonly unknown[],
  path: string,
): FieldChange[] {
  const key = schema?.type === 'list' ? schema.mergeKey : undefined;
  const old = key ? byKey(before, key) : undefined;
  const now = key ? byKey(after, key) : undefined;
  if (!old || !now) return [{ path, before, after }];
  const items = schema?.type === 'list' ? schema.items : undefined;
  const found = [...new Set([...old.keys(), ...now.keys()])].flatMap((name) =>
    changedFields(items, old.get(name), now.get(name), `${path}[${key}=${name}]`),
  );
  // Nothing but the order.
  return found.length > 0 ? found : [{ path, before: [...old.keys()], after: [...now.keys()] }];
}

/** Undefined when the key does not tell the items apart. */
function byKey(list: readonly unknown[], key: string): Map<string, unknown> | undefined {
  const map = new Map(list.map((item) => [canonicalJson(isRecord(item) ? (item[key] ?? null) : null), item]));
  return map.size === list.length ? map : undefined;
}

const withKey = (path: string, key: string): string => {
  const plain = /^[A-Za-z_$][\w$-]*$/.test(key);
  if (!plain) return `${path}[${JSON.stringify(key)}]`;
  return path === '' ? key : `${path}.${key}`;
};
