// How a write is to be done, read from its query and, for a deletion, its body.
import type { IncomingMessage } from 'node:http';
import { requiredManager, validateManagerName } from '@fleetset/scheduler-core/patch/managed-fields';
import { decode } from '@fleetset/scheduler-core/schema/decode';
import { deleteOptions as deleteOptionsSchema } from '@fleetset/scheduler-core/schema/meta';
import type { Infer } from '@fleetset/scheduler-core/schema/schema';
import { type FieldError, forbidden } from '@fleetset/scheduler-core/validation/field-error';
import { badRequest, invalidObject } from './api-error.ts';
import { duplicatesIn } from './body.ts';
import type { ApplyOptions, DeleteOptions, WriteOptions } from './object-options.ts';
import { flagParameter } from './request.ts';

/** 68 years. */
export const LONGEST_GRACE_SECONDS = 2 ** 31 - 1;

export function writeOptions(query: URLSearchParams, request: IncomingMessage): WriteOptions {
  const given = query.get('fieldManager');
  if (given) requireOptions(request, validateManagerName('fieldManager', given));
  const validation = query.get('fieldValidation');
  if (validation && !['Strict', 'Warn', 'Ignore'].includes(validation))
    throw badRequest(
      `fieldValidation: Unsupported value: ${JSON.stringify(validation)}: supported values: "Ignore", "Strict", "Warn"`,
    );
  return {
    dryRun: isDryRun(query.getAll('dryRun')),
    fieldValidation: (validation as WriteOptions['fieldValidation'] | null) ?? 'Warn',
    manager: given || programOf(request),
    duplicates: () => duplicatesIn(request),
  };
}

/** The part of the User-Agent that does not change with versions. */
const programOf = ({ headers }: IncomingMessage): string =>
  (headers['user-agent'] ?? '')
    .split('/')[0]
    ?.replace(/[^ -~]/g, '')
    .slice(0, 128) || 'unknown';

export function applyOptions(query: URLSearchParams, request: IncomingMessage): ApplyOptions {
  const options = writeOptions(query, request);
  if (!query.get('fieldManager')) requireOptions(request, [requiredManager()]);
  return { ...options, force: flagParameter(query, 'force') };
}

/** Force is a word of server-side apply only. */
export function requireNoForce(query: URLSearchParams, request: IncomingMessage): void {
  if (query.has('force'))
    requireOptions(request, [forbidden('force', 'may not be specified for non-apply patch')]);
}

const OPTIONS: { readonly [method: string]: string } = {
  PATCH: 'PatchOptions',
  POST: 'CreateOptions',
  PUT: 'UpdateOptions',
};

function requireOptions({ method = '' }: IncomingMessage, errors: readonly FieldError[]): void {
  const kind = OPTIONS[method] ?? 'PatchOptions';
  if (errors.length > 0)
    throw invalidObject({ group: 'meta.k8s.io', kind, plural: kind.toLowerCase() }, '', errors);
}

function isDryRun(values: readonly unknown[]): boolean {
  const wrong = values.find((value) => value !== 'All');
  if (wrong !== undefined && wrong !== '')
    throw badRequest(`dryRun: Unsupported value: ${JSON.stringify(wrong)}: supported values: "All"`);
  return values.includes('All');
}

/** In the body (kubectl) or in the query (curl). What is not understood is refused: nothing is deleted on a guess. */
export function deleteOptions(query: URLSearchParams, given: unknown): DeleteOptions {
  const decoded = decode(deleteOptionsSchema, given);
  const body = (decoded.value ?? {}) as Infer<typeof deleteOptionsSchema>;
  const { kind = 'DeleteOptions' } = body;
  const wrongKind = kind === 'DeleteOptions' ? [] : [`kind: expected DeleteOptions, got ${kind}`];
  const errors = [...decoded.errors, ...wrongKind];
  if (errors.length > 0)
    throw badRequest(
      `DeleteOptions in version "v1" cannot be handled as a DeleteOptions: ${errors.join(', ')}`,
    );
  const propagation = readPropagation(query, body);
  const graceSeconds = readGrace(body.gracePeriodSeconds ?? query.get('gracePeriodSeconds') ?? undefined);
  const { uid, resourceVersion } = body.preconditions ?? {};
  return {
    dryRun: isDryRun(body.dryRun ?? query.getAll('dryRun')),
    ...(propagation === undefined ? {} : { propagation }),
    ...(graceSeconds === undefined ? {} : { graceSeconds }),
    preconditions: { ...(uid ? { uid } : {}), ...(resourceVersion ? { resourceVersion } : {}) },
  };
}

/** Undefined: not said. `orphanDependents` is what clients said before there was a policy. */
function readPropagation(
  query: URLSearchParams,
  body: Infer<typeof deleteOptionsSchema>,
): DeleteOptions['propagation'] {
  const policy = body.propagationPolicy ?? query.get('propagationPolicy') ?? undefined;
  const asked = query.has('orphanDependents') ? flagParameter(query, 'orphanDependents') : undefined;
  const orphan = body.orphanDependents ?? asked;
  if (orphan !== undefined && policy !== undefined)
    throw badRequest('orphanDependents: Invalid value: may not be set together with propagationPolicy');
  if (orphan === true) return 'Orphan';
  if (orphan === false) return 'Background';
  if (policy === undefined || policy === 'Background' || policy === 'Foreground' || policy === 'Orphan')
    return policy;
  throw badRequest(
    `propagationPolicy: Unsupported value: ${JSON.stringify(policy)}: supported values: "Background", "Foreground", "Orphan"`,
  );
}

/** Rule 66: a negative grace is one second. One that the wire cannot carry is as long as it can. */
function readGrace(given: unknown): number | undefined {
  if (given === undefined) return undefined;
  const seconds = typeof given === 'string' && /^-?\d+$/.test(given) ? Number(given) : given;
  if (!Number.isInteger(seconds))
    throw badRequest(`gracePeriodSeconds: Invalid value: ${JSON.stringify(given)}: must be an integer`);
  return (seconds as number) < 0 ? 1 : Math.min(seconds as number, LONGEST_GRACE_SECONDS);
}
