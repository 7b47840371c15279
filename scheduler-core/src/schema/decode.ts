// Reads untrusted JSON against a schema: wrong types are errors, unknown fields are named, nulls are dropped,
// absent required fields are zero, what is there but empty is absent, quantities become canonical. Never throws;
// problems are reported, the first hundred of each kind, each with its path.
import { canonicalQuantity } from '../quantity.ts';
import { isRfc3339 } from '../rfc3339.ts';
import type { ListSchema, MapSchema, ObjectSchema, Schema, StringSchema } from './schema.ts';

export interface Decoded {
  readonly value: unknown;
  /** Paths of fields that the schema does not have. They are not in `value`. */
  readonly unknown: readonly string[];
  /** "path: what is wrong". */
  readonly errors: readonly string[];
}

interface Findings {
  readonly unknown: string[];
  readonly errors: string[];
  /** What is required and absent becomes zero; what is not required and empty becomes absent. */
  readonly complete: boolean;
}

const QUANTITY_SHAPE =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const INT32_MAX = 2 ** 31;

export function decode(schema: Schema, json: unknown): Decoded {
  return decodeWith(schema, json, true);
}

/** Of a configuration that need not be complete: nothing is added to it. */
export function decodePartial(schema: Schema, json: unknown): Decoded {
  return decodeWith(schema, json, false);
}

function decodeWith(schema: Schema, json: unknown, complete: boolean): Decoded {
  const findings: Findings = { unknown: [], errors: [], complete };
  const value = read(schema, json, '', findings);
  return { value, unknown: findings.unknown, errors: findings.errors };
}

/** As many as Kubernetes tells, and more than anybody reads. A body may have a million. */
const PROBLEMS_LIMIT = 100;

function note(problems: string[], text: string): void {
  if (problems.length < PROBLEMS_LIMIT) problems.push(text);
}

function read(schema: Schema, json: unknown, path: string, findings: Findings): unknown {
  switch (schema.type) {
    case 'object':
      return readObject(schema, json, path, findings);
    case 'list':
      return readList(schema, json, path, findings);
    case 'map':
      return readMap(schema, json, path, findings);
    case 'any':
      return json;
    default: {
      const result = readScalar(schema, json);
      if (typeof result !== 'object') return result;
      note(findings.errors, `${path || '.'}: ${result.problem}`);
      return undefined;
    }
  }
}

function readObject(schema: ObjectSchema, json: unknown, path: string, findings: Findings): unknown {
  if (!isRecord(json)) return wrongType(json, 'an object', path, findings);
  const result: { [field: string]: unknown } = {};
  for (const [field, value] of Object.entries(json)) {
    const at = path === '' ? field : `${path}.${field}`;
    const fieldSchema = Object.hasOwn(schema.fields, field) ? schema.fields[field] : undefined;
    if (!fieldSchema) note(findings.unknown, at);
    else if (value !== null && value !== undefined) {
      const decoded = read(fieldSchema, value, at, findings);
      const isLeftOut =
        findings.complete && !schema.required.includes(field) && isEmpty(fieldSchema, decoded);
      if (decoded !== undefined && !isLeftOut) result[field] = decoded;
    }
  }
  for (const field of findings.complete ? schema.required : []) {
    const zero = Object.hasOwn(result, field) ? undefined : zeroOf(schema.fields[field]);
    if (zero !== undefined) result[field] = zero;
  }
  return result;
}

/** As Go writes it back: who says `tolerations: []` says nothing, and no update comes of it. */
function isEmpty(schema: Schema, value: unknown): boolean {
  switch (schema.type) {
    case 'list':
      return Array.isArray(value) && value.length === 0;
    case 'map':
      return isRecord(value) && Object.keys(value).length === 0;
    case 'string':
      return value === '' && schema.default === undefined && !schema.emptyIsSet;
    case 'boolean':
      return value === false && schema.zeroIsUnset === true;
    case 'integer':
      return value === 0 && schema.zeroIsUnset === true && schema.default === undefined;
    default:
      return false;
  }
}

/** As Go reads an absent value. An absent object stays absent: a selector that is not there is not an empty one. */
function zeroOf(schema: Schema | undefined): unknown {
  switch (schema?.type) {
    case 'string':
      return '';
    case 'integer':
    case 'int-or-string':
      return 0;
    case 'list':
      return [];
    default:
      return undefined;
  }
}

function readList(schema: ListSchema, json: unknown, path: string, findings: Findings): unknown {
  if (!Array.isArray(json)) return wrongType(json, 'a list', path, findings);
  return json.map((item, index) =>
    item === null && schema.items.type === 'object'
      ? read(schema.items, {}, `${path}[${index}]`, findings)
      : read(schema.items, item, `${path}[${index}]`, findings),
  );
}

function readMap(schema: MapSchema, json: unknown, path: string, findings: Findings): unknown {
  if (!isRecord(json)) return wrongType(json, 'an object', path, findings);
  const result: { [key: string]: unknown } = {};
  for (const [key, value] of Object.entries(json)) {
    // Go reads null as the zero value of what the map holds.
    const given = value === null && schema.values.type === 'string' ? '' : value;
    const decoded = read(schema.values, given, path === '' ? key : `${path}.${key}`, findings);
    if (decoded !== undefined) define(result, key, decoded);
  }
  return result;
}

type Scalar = Exclude<Schema, ObjectSchema | ListSchema | MapSchema | { type: 'any' }>;

function readScalar(schema: Scalar, json: unknown): string | number | boolean | { readonly problem: string } {
  switch (schema.type) {
    case 'string':
      return readString(json, schema.format);
    case 'boolean':
      return typeof json === 'boolean' ? json : { problem: `expected a boolean, got ${nameOfType(json)}` };
    case 'integer':
      return readInteger(json, schema.format);
    case 'int-or-string':
      if (typeof json === 'string') return json;
      return typeof json === 'number'
        ? readInteger(json, 'int32')
        : { problem: `expected an integer or a string, got ${nameOfType(json)}` };
    case 'quantity': {
      if (typeof json !== 'string' && typeof json !== 'number')
        return { problem: `expected a quantity, got ${nameOfType(json)}` };
      return canonicalQuantity(String(json).trim()) ?? { problem: QUANTITY_SHAPE };
    }
  }
}

function readString(json: unknown, format: StringSchema['format']): string | { readonly problem: string } {
  if (typeof json !== 'string') return { problem: `expected a string, got ${nameOfType(json)}` };
  if (format !== 'date-time' || isRfc3339(json)) return json;
  return {
    problem: `expected a time such as 2006-01-02T15:04:05Z, got ${JSON.stringify(json.slice(0, 64))}`,
  };
}

function readInteger(json: unknown, format: 'int32' | 'int64'): number | { readonly problem: string } {
  if (typeof json !== 'number') return { problem: `expected an integer, got ${nameOfType(json)}` };
  if (!Number.isSafeInteger(json)) return { problem: `expected an integer, got ${json}` };
  const fits = format === 'int64' || (json >= -INT32_MAX && json < INT32_MAX);
  return fits ? json : { problem: `${json} does not fit into 32 bits` };
}

function wrongType(json: unknown, wanted: string, path: string, findings: Findings): undefined {
  note(findings.errors, `${path || '.'}: expected ${wanted}, got ${nameOfType(json)}`);
}

function nameOfType(json: unknown): string {
  if (json === null) return 'null';
  if (Array.isArray(json)) return 'a list';
  return typeof json === 'object' ? 'an object' : `a ${typeof json}`;
}

export const isRecord = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Sets a key that came from outside, "__proto__" included, as plain data. */
export function define(target: { [key: string]: unknown }, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
  else target[key] = value;
}
