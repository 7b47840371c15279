// JSON merge patch (RFC 7386): null removes, objects merge, everything else replaces.
import { define, isRecord } from '../schema/decode.ts';

export function applyMergePatch(current: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const result: { [key: string]: unknown } = isRecord(current) ? { ...current } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else define(result, key, applyMergePatch(Object.hasOwn(result, key) ? result[key] : undefined, value));
  }
  return result;
}
