// Describes the kinds of the API as data: from one description come the TypeScript type, strict decoding,
// defaults, patch rules and the published OpenAPI document.

interface Described {
  readonly description?: string;
  /** Filled in when the field is absent and the object that holds it is there. */
  readonly default?: unknown;
}

export interface StringSchema extends Described {
  readonly type: 'string';
  readonly enum?: readonly string[];
  readonly format?: 'date-time' | 'byte';
  /** Empty is not the same as absent, as in Go where the field is a pointer. */
  readonly emptyIsSet?: boolean;
}
export interface IntegerSchema extends Described {
  readonly type: 'integer';
  readonly format: 'int32' | 'int64';
  /** A zero gets the default, or else is the same as absent, as in Go where the field is no pointer. */
  readonly zeroIsUnset?: boolean;
}
export interface BooleanSchema extends Described {
  readonly type: 'boolean';
  /** False is the same as absent, as in Go where the field is no pointer. */
  readonly zeroIsUnset?: boolean;
}
/** Kubernetes' resource.Quantity: a string or a number on the way in, canonical text when stored. */
export interface QuantitySchema extends Described {
  readonly type: 'quantity';
}
/** Kubernetes' intstr.IntOrString. */
export interface IntOrStringSchema extends Described {
  readonly type: 'int-or-string';
}
/** Any JSON, kept as it is. */
export interface AnySchema extends Described {
  readonly type: 'any';
}
export interface ListSchema<S extends Schema = Schema> extends Described {
  readonly type: 'list';
  readonly items: S;
  /** Strategic merge: items are one another's successors when this field is equal. '' merges plain values. */
  readonly mergeKey?: string;
  /** Strategic merge: an item keeps only the keys that the patch lists (volume sources). */
  readonly retainKeys?: boolean;
  /** Server-side apply: the fields that tell items apart; absent means the list is one value. */
  readonly mapKeys?: readonly string[];
}
export interface MapSchema<S extends Schema = Schema> extends Described {
  readonly type: 'map';
  readonly values: S;
  /** Server-side apply: one value, with one owner. */
  readonly atomic?: boolean;
}
export interface ObjectSchema<F extends Fields = Fields, R extends string = string> extends Described {
  readonly type: 'object';
  /** The published definition's name, as io.k8s.api.apps.v1.DaemonSet. */
  readonly name: string;
  readonly fields: F;
  readonly required: readonly R[];
  /** Server-side apply: one value, with one owner. */
  readonly atomic?: boolean;
}
export type Schema =
  | StringSchema
  | IntegerSchema
  | BooleanSchema
  | QuantitySchema
  | IntOrStringSchema
  | AnySchema
  | ListSchema
  | MapSchema
  | ObjectSchema;
export type Fields = { readonly [field: string]: Schema };

export const string = (options: Described = {}): StringSchema => ({ type: 'string', ...options });
export const stringOrAbsent: StringSchema = { type: 'string', emptyIsSet: true };
export const oneOf = <const E extends readonly string[]>(values: E, options: Described = {}) =>
  ({ type: 'string', enum: values, ...options }) as const;
export const time: StringSchema = { type: 'string', format: 'date-time' };
export const bytes: StringSchema = { type: 'string', format: 'byte' };
export const int32 = (options: Described & Pick<IntegerSchema, 'zeroIsUnset'> = {}): IntegerSchema => ({
  type: 'integer',
  format: 'int32',
  ...options,
});
export const int64 = (options: Described = {}): IntegerSchema => ({
  type: 'integer',
  format: 'int64',
  ...options,
});
export const boolean = (options: Described = {}): BooleanSchema => ({ type: 'boolean', ...options });
/** Set or not: to say that it is not is to say nothing. */
export const flag: BooleanSchema = { type: 'boolean', zeroIsUnset: true };
export const quantity: QuantitySchema = { type: 'quantity' };
export const intOrString = (options: Described = {}): IntOrStringSchema => ({
  type: 'int-or-string',
  ...options,
});
export const any: AnySchema = { type: 'any' };
export const list = <S extends Schema>(
  items: S,
  options: Omit<ListSchema<S>, 'type' | 'items'> = {},
): ListSchema<S> => ({ type: 'list', items, ...options });
/** A list whose items are told apart by `key` in strategic merge and in server-side apply. */
export const listByKey = <S extends Schema>(items: S, key: string, ...more: string[]): ListSchema<S> => ({
  type: 'list',
  items,
  mergeKey: key,
  mapKeys: [key, ...more],
});
export const map = <S extends Schema>(values: S): MapSchema<S> => ({ type: 'map', values });
/** `required` says what JSON must hold; overloaded because nothing must not be inferred as everything. */
export function object<const F extends Fields>(name: string, fields: F): ObjectSchema<F, never>;
export function object<const F extends Fields, const R extends string & keyof F>(
  name: string,
  fields: F,
  required: readonly R[],
): ObjectSchema<F, R>;
export function object(name: string, fields: Fields, required: readonly string[] = []): ObjectSchema {
  return { type: 'object', name, fields, required };
}

/** For server-side apply one value: whoever sets part of it owns all of it. */
export const atomic = <S extends ObjectSchema | MapSchema>(schema: S): S => ({ ...schema, atomic: true });

/** The TypeScript type of what a schema describes. */
export type Infer<S> = S extends { type: 'string'; enum: readonly (infer E)[] }
  ? E
  : S extends { type: 'string' }
    ? string
    : S extends { type: 'integer' }
      ? number
      : S extends { type: 'boolean' }
        ? boolean
        : S extends { type: 'quantity' }
          ? string
          : S extends { type: 'int-or-string' }
            ? number | string
            : S extends ListSchema<infer I>
              ? readonly Infer<I>[]
              : S extends MapSchema<infer V>
                ? { readonly [key: string]: Infer<V> }
                : S extends ObjectSchema<infer F, infer R>
                  ? { readonly [K in keyof F as K extends R ? K : never]: Infer<F[K]> } & {
                      readonly [K in keyof F as K extends R ? never : K]?: Infer<F[K]>;
                    }
                  : unknown;
