// PATCH in the forms that clients send: strategic merge, merge and JSON patch.
import { applyMergePatch } from '@fleetset/scheduler-core/patch/merge-patch';
import { applyStrategicMerge } from '@fleetset/scheduler-core/patch/strategic-merge';
import { isRecord } from '@fleetset/scheduler-core/schema/decode';
import { applyPatch, type Operation, Pointer } from 'rfc6902';
import type { Kind, KubeObject } from '../kinds/kind.ts';
import { ApiError, badRequest, unsupportedMediaType } from './api-error.ts';
import { BODY_LIMIT_BYTES } from './body.ts';
import { requireShallow } from './document-limits.ts';
import { withoutVersion } from './prepare-object.ts';

/** Makes the wanted object of the current one. Throws an ApiError for a patch that cannot be applied. */
export function patchFunction(
  kind: Kind,
  contentType: string,
  patch: unknown,
): (current: KubeObject) => unknown {
  switch (contentType) {
    case 'application/strategic-merge-patch+json':
      return (current) => {
        const result = applyStrategicMerge(kind.schema, withoutVersion(current), patch);
        if ('problem' in result) throw badRequest(result.problem);
        return result.value;
      };
    case 'application/merge-patch+json':
      if (!isRecord(patch)) throw badRequest('a merge patch must be an object');
      return (current) => applyMergePatch(withoutVersion(current), patch);
    case 'application/json-patch+json':
      return (current) => applyJsonPatch(current, patch);
    default:
      throw unsupportedMediaType(
        `the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml (got ${contentType})`,
      );
  }
}

/** As Kubernetes. */
const OPERATIONS_LIMIT = 10_000;

function applyJsonPatch(current: KubeObject, patch: unknown): unknown {
  if (!Array.isArray(patch) || !patch.every(isOperation))
    throw badRequest('a JSON patch must be a list of operations');
  if (patch.length > OPERATIONS_LIMIT)
    throw new ApiError(
      413,
      'RequestEntityTooLarge',
      `The allowed maximum operations in a JSON patch is ${OPERATIONS_LIMIT}, got ${patch.length}`,
    );
  const result = structuredClone(current) as { metadata?: { resourceVersion?: string } };
  const failure = firstFailure(result, patch as Operation[]);
  if (failure)
    throw new ApiError(
      422,
      'Invalid',
      `the server rejected our request due to an error in our request: ${failure.message}`,
    );
  if (result.metadata?.resourceVersion === current.metadata.resourceVersion)
    delete result.metadata?.resourceVersion;
  return requireShallow(result);
}

/** The library answers with most failures, and throws over a few odd values. */
function firstFailure(result: object, operations: readonly Operation[]): Error | undefined {
  let copied = 0;
  for (const operation of operations)
    try {
      const astray = pointersOf(operation).find((pointer) => leavesTheObject(result, pointer));
      if (astray !== undefined) return new Error(`Value at ${astray} does not exist`);
      if (operation.op === 'copy') copied += sizeAt(result, operation.from);
      if (copied > BODY_LIMIT_BYTES) return new Error(`copies of more than ${BODY_LIMIT_BYTES} bytes`);
      const [failure] = applyPatch(result, [operation]);
      if (failure) return failure;
    } catch (error) {
      return error as Error;
    }
  return undefined;
}

const pointersOf = (operation: Operation): string[] =>
  'from' in operation ? [operation.from, operation.path] : [operation.path];

/** The library follows what objects inherit, too, and would write into functions that the whole process shares. */
function leavesTheObject(root: object, pointer: string): boolean {
  const tokens = pointer.split('/').slice(1).map(unescapeToken);
  const last = tokens.pop();
  let value: unknown = root;
  for (const token of tokens) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, token)) return true;
    value = (value as { readonly [token: string]: unknown })[token];
  }
  if (last === undefined) return false;
  return last === '__proto__' || typeof value !== 'object' || value === null || isInherited(value, last);
}

/** A copy of what was copied before doubles it: sizes are added up before anything is. */
const sizeAt = (root: object, pointer: string): number =>
  JSON.stringify(Pointer.fromJSON(pointer).get(root) ?? null).length;

const unescapeToken = (token: string): string => token.replaceAll('~1', '/').replaceAll('~0', '~');

/** In a list that is a name of no item; an object may have a field of any name. */
const isInherited = (value: object, name: string): boolean => Array.isArray(value) && name in Array.prototype;

const isOperation = (operation: unknown): boolean =>
  isRecord(operation) && typeof operation.op === 'string' && typeof operation.path === 'string';
