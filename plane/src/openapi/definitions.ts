// The published description of our kinds, made from their schemas: definitions by name, in JSON Schema's words.
import type { ListSchema, ObjectSchema, Schema } from '@fleetset/scheduler-core/schema/schema';
import { apiVersionOf, type Kind, versionOf } from '../kinds/kind.ts';

export type JsonSchema = { readonly [keyword: string]: unknown };

/** Every named object that the kinds reach. `refPrefix` is where the document keeps its definitions. */
export function definitionsOf(kinds: readonly Kind[], refPrefix: string): { [name: string]: JsonSchema } {
  const definitions: { [name: string]: JsonSchema } = {};
  const visit = (schema: ObjectSchema) => {
    if (definitions[schema.name]) return;
    definitions[schema.name] = {};
    definitions[schema.name] = objectDefinition(schema, (child) => referTo(child));
  };
  const referTo = (schema: Schema): JsonSchema => {
    if (schema.type !== 'object') return valueSchema(schema, referTo);
    visit(schema);
    return { $ref: refPrefix + schema.name };
  };
  for (const kind of kinds) {
    visit(kind.schema);
    definitions[kind.schema.name] = {
      ...definitions[kind.schema.name],
      'x-kubernetes-group-version-kind': [gvkOf(kind)],
    };
    definitions[`${kind.schema.name}List`] = listDefinition(kind, refPrefix);
  }
  return definitions;
}

export const gvkOf = ({ group, kind }: Pick<Kind, 'group' | 'kind'>): JsonSchema => ({
  group,
  kind,
  version: versionOf(group),
});

function objectDefinition(schema: ObjectSchema, refer: (schema: Schema) => JsonSchema): JsonSchema {
  const properties = Object.entries(schema.fields).map(([field, child]) => [
    field,
    { ...described(field, child, refer(child)) },
  ]);
  return {
    description: schema.description ?? `${schema.name.split('.').at(-1)} as served by fleetset.`,
    type: 'object',
    properties: Object.fromEntries(properties),
    ...(schema.required.length > 0 ? { required: schema.required } : {}),
    ...mapType(schema),
  };
}

function described(field: string, schema: Schema, json: JsonSchema): JsonSchema {
  return {
    description: schema.description ?? field,
    ...json,
    ...(schema.default === undefined ? {} : { default: schema.default }),
  };
}

function valueSchema(
  schema: Exclude<Schema, ObjectSchema>,
  refer: (schema: Schema) => JsonSchema,
): JsonSchema {
  switch (schema.type) {
    case 'string':
      return {
        type: 'string',
        ...(schema.format ? { format: schema.format } : {}),
        ...(schema.enum ? { enum: schema.enum } : {}),
      };
    case 'integer':
      return { type: 'integer', format: schema.format };
    case 'boolean':
      return { type: 'boolean' };
    case 'quantity':
      return { type: 'string' };
    case 'int-or-string':
      return { type: 'string', format: 'int-or-string' };
    case 'any':
      return { type: 'object' };
    case 'map':
      return { type: 'object', additionalProperties: refer(schema.values), ...mapType(schema) };
    case 'list':
      return { type: 'array', items: refer(schema.items), ...listExtensions(schema) };
  }
}

const mapType = ({ atomic }: { readonly atomic?: boolean }): JsonSchema =>
  atomic ? { 'x-kubernetes-map-type': 'atomic' } : {};

function listExtensions({ mergeKey, retainKeys, mapKeys }: ListSchema): JsonSchema {
  if (mergeKey === undefined) return { 'x-kubernetes-list-type': 'atomic' };
  return {
    'x-kubernetes-list-type': mapKeys && mapKeys.length > 0 ? 'map' : 'set',
    ...(mapKeys && mapKeys.length > 0 ? { 'x-kubernetes-list-map-keys': mapKeys } : {}),
    ...(mergeKey === '' ? {} : { 'x-kubernetes-patch-merge-key': mergeKey }),
    'x-kubernetes-patch-strategy': retainKeys ? 'merge,retainKeys' : 'merge',
  };
}

const listDefinition = (kind: Kind, refPrefix: string): JsonSchema => ({
  description: `A list of ${kind.plural}.`,
  type: 'object',
  required: ['items'],
  properties: {
    apiVersion: { type: 'string', description: apiVersionOf(kind) },
    kind: { type: 'string', description: `${kind.kind}List` },
    metadata: { type: 'object', description: 'List metadata.' },
    items: { type: 'array', description: 'The objects.', items: { $ref: refPrefix + kind.schema.name } },
  },
  'x-kubernetes-group-version-kind': [{ ...gvkOf(kind), kind: `${kind.kind}List` }],
});
