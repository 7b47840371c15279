// What a client is told when a request cannot be served: Kubernetes' Status, with its reasons and codes.
import type { FieldError } from '@fleetset/scheduler-core/validation/field-error';

export interface StatusCause {
  readonly reason: string;
  readonly message: string;
  readonly field: string;
}

export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

/** What names a kind in an error: its plural in 404 and 409, its Kind in 422. */
export interface NamedKind {
  readonly group: string;
  readonly kind: string;
  readonly plural: string;
}

export class ApiError extends Error {
  readonly code: number;
  readonly reason: string;
  readonly details: StatusDetails | undefined;

  constructor(code: number, reason: string, message: string, details?: StatusDetails, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.reason = reason;
    this.details = details;
  }
}

const qualified = ({ group, plural }: NamedKind): string => (group === '' ? plural : `${plural}.${group}`);
const named = ({ group, plural }: NamedKind, name: string): StatusDetails => ({
  name,
  ...(group === '' ? {} : { group }),
  kind: plural,
});

export const badRequest = (message: string): ApiError => new ApiError(400, 'BadRequest', message);
export const unauthorized = (): ApiError => new ApiError(401, 'Unauthorized', 'Unauthorized');
export const forbiddenRequest = (message: string, details?: StatusDetails): ApiError =>
  new ApiError(403, 'Forbidden', message, details);
export const notFoundObject = (kind: NamedKind, name: string): ApiError =>
  new ApiError(404, 'NotFound', `${qualified(kind)} "${name}" not found`, named(kind, name));
export const notFoundPath = (): ApiError =>
  new ApiError(404, 'NotFound', 'the server could not find the requested resource');
export const methodNotAllowed = (message: string): ApiError => new ApiError(405, 'MethodNotAllowed', message);
/** In Kubernetes' words for what none of its routes take. */
export const notServed = (): ApiError =>
  new ApiError(
    405,
    'MethodNotAllowed',
    'the server does not allow this method on the requested resource',
    {},
  );
export const alreadyExists = (kind: NamedKind, name: string): ApiError =>
  new ApiError(409, 'AlreadyExists', `${qualified(kind)} "${name}" already exists`, named(kind, name));
export const conflict = (kind: NamedKind, name: string, why?: string): ApiError =>
  new ApiError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(kind)} "${name}": ${
      why ?? 'the object has been modified; please apply your changes to the latest version and try again'
    }`,
    named(kind, name),
  );
export const expired = (message: string): ApiError => new ApiError(410, 'Expired', message);
export const tooLarge = (limitBytes: number): ApiError =>
  new ApiError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${limitBytes} bytes`);
export const unsupportedMediaType = (message: string): ApiError =>
  new ApiError(415, 'UnsupportedMediaType', message);
export const tooManyRequests = (message: string): ApiError =>
  new ApiError(429, 'TooManyRequests', message, { retryAfterSeconds: 1 });
export const unavailable = (message: string): ApiError => new ApiError(503, 'ServiceUnavailable', message);

/** Of one object; what is wrong with a list of a million items is told of the first. */
const ERRORS_LIMIT = 100;

export function invalidObject(kind: NamedKind, name: string, all: readonly FieldError[]): ApiError {
  const errors = all.slice(0, ERRORS_LIMIT);
  const texts = errors.map(({ field, message }) => `${field}: ${message}`);
  if (all.length > errors.length) texts.push(`and ${all.length - errors.length} more`);
  const list = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  const full = kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`;
  return new ApiError(422, 'Invalid', `${full} "${name}" is invalid: ${list}`, {
    name,
    ...(kind.group === '' ? {} : { group: kind.group }),
    kind: kind.kind,
    causes: errors.map(({ reason, message, field }) => ({ reason, message, field })),
  });
}

/** The Status body of an error; what is not an ApiError is nobody's business but the log's. */
export function statusOf(error: unknown): {
  readonly code: number;
  readonly body: { readonly code: number } & { readonly [field: string]: unknown };
} {
  const api =
    error instanceof ApiError
      ? error
      : new ApiError(500, 'InternalError', 'Internal error occurred: see the log of the plane');
  return {
    code: api.code,
    body: {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: api.message,
      reason: api.reason,
      ...(api.details ? { details: api.details } : {}),
      code: api.code,
    },
  };
}
