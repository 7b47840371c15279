// What is wrong with a field, in Kubernetes' words: a path, a kind of error, a detail.
import { canonicalJson } from '../canonical-json.ts';

export interface FieldError {
  /** As in Status.details.causes[].reason. */
  readonly reason:
    | 'FieldValueRequired'
    | 'FieldValueInvalid'
    | 'FieldValueNotSupported'
    | 'FieldValueDuplicate'
    | 'FieldValueForbidden'
    | 'FieldValueNotFound'
    | 'FieldValueTooLong';
  readonly field: string;
  /** Without the path. */
  readonly message: string;
}

const shown = (value: unknown): string =>
  typeof value === 'string' ? JSON.stringify(value) : canonicalJson(value);
const withDetail = (text: string, detail: string): string => (detail === '' ? text : `${text}: ${detail}`);

export const required = (field: string, detail = ''): FieldError => ({
  reason: 'FieldValueRequired',
  field,
  message: withDetail('Required value', detail),
});
export const invalid = (field: string, value: unknown, detail: string): FieldError => ({
  reason: 'FieldValueInvalid',
  field,
  message: withDetail(`Invalid value: ${shown(value)}`, detail),
});
export const notSupported = (field: string, value: unknown, supported: readonly string[]): FieldError => ({
  reason: 'FieldValueNotSupported',
  field,
  message: `Unsupported value: ${shown(value)}: supported values: ${[...supported].sort().map(shown).join(', ')}`,
});
export const duplicate = (field: string, value: unknown): FieldError => ({
  reason: 'FieldValueDuplicate',
  field,
  message: `Duplicate value: ${shown(value)}`,
});
export const forbidden = (field: string, detail: string): FieldError => ({
  reason: 'FieldValueForbidden',
  field,
  message: withDetail('Forbidden', detail),
});
export const notFound = (field: string, value: unknown): FieldError => ({
  reason: 'FieldValueNotFound',
  field,
  message: `Not found: ${shown(value)}`,
});
export const tooLong = (field: string, limit: number): FieldError => ({
  reason: 'FieldValueTooLong',
  field,
  message: `Too long: may not be more than ${limit} bytes`,
});

/** invalid() when the rule has something to say. */
export const checked = (
  field: string,
  value: string,
  rule: (value: string) => string | undefined,
): FieldError[] => {
  const problem = rule(value);
  return problem === undefined ? [] : [invalid(field, value, problem)];
};

export const atLeastZero = (field: string, value: number | undefined): FieldError[] =>
  value !== undefined && value < 0 ? [invalid(field, value, 'must be greater than or equal to 0')] : [];
