// /openapi/v2 in protobuf, the only form that kubectl up to 1.28 takes: the message openapi.v2.Document, written
// field by field. The field numbers are those of that message.
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import type { Kind } from '../kinds/kind.ts';
import { definitionsOf, type JsonSchema } from './definitions.ts';
import { type DescribedOperation, type DescribedPath, pathsOf } from './paths.ts';

type Write = (writer: BinaryWriter) => void;

const tag = (field: number): number => (field << 3) | 2;
const text = (writer: BinaryWriter, field: number, value: string): void =>
  void writer.uint32(tag(field)).string(value);
const flag = (writer: BinaryWriter, field: number): void => void writer.uint32(field << 3).bool(true);
const message = (writer: BinaryWriter, field: number, write: Write): void => {
  const inner = writer.uint32(tag(field)).fork();
  write(inner);
  inner.join();
};

export function openApiV2(kinds: readonly Kind[], version: string): Uint8Array {
  const writer = new BinaryWriter();
  text(writer, 1, '2.0');
  message(writer, 2, (info) => {
    text(info, 1, 'fleetset');
    text(info, 2, version);
  });
  message(writer, 8, (paths) => {
    for (const path of kinds.flatMap(pathsOf)) message(paths, 2, (named) => namedPath(named, path));
  });
  message(writer, 9, (definitions) => {
    for (const [name, schema] of Object.entries(definitionsOf(kinds, '#/definitions/')))
      message(definitions, 1, (named) => namedSchema(named, name, schema));
  });
  return writer.finish();
}

const METHOD_FIELD = { get: 2, put: 3, post: 4, delete: 5, patch: 8 } as const;

function namedPath(writer: BinaryWriter, { path, pathParameters, operations }: DescribedPath): void {
  text(writer, 1, path);
  message(writer, 2, (item) => {
    for (const operation of operations)
      message(item, METHOD_FIELD[operation.method], (inner) => writeOperation(inner, operation));
    for (const name of pathParameters) message(item, 9, (inner) => pathParameter(inner, name));
  });
}

function writeOperation(writer: BinaryWriter, operation: DescribedOperation): void {
  text(writer, 5, operation.id);
  text(writer, 6, 'application/json');
  for (const type of operation.consumes) text(writer, 7, type);
  if (operation.method !== 'get' && operation.method !== 'delete') message(writer, 8, bodyParameter);
  for (const name of operation.query) message(writer, 8, (inner) => queryParameter(inner, name));
  message(writer, 9, (responses) => {
    message(responses, 1, (named) => {
      text(named, 1, '200');
      message(named, 2, (value) => message(value, 1, (response) => text(response, 1, 'OK')));
    });
  });
  extension(writer, 13, 'x-kubernetes-action', operation.action);
  extension(writer, 13, 'x-kubernetes-group-version-kind', operation.gvk);
}

const bodyParameter: Write = (item) =>
  message(item, 1, (parameter) =>
    message(parameter, 1, (body) => {
      text(body, 2, 'body');
      text(body, 3, 'body');
      flag(body, 4);
      message(body, 5, (schema) => typeItem(schema, 'object'));
    }),
  );

const queryParameter = (item: BinaryWriter, name: string): void =>
  message(item, 1, (parameter) =>
    message(parameter, 2, (nonBody) =>
      message(nonBody, 3, (query) => {
        text(query, 2, 'query');
        text(query, 4, name);
        text(query, 6, 'string');
        flag(query, 20);
      }),
    ),
  );

const pathParameter = (item: BinaryWriter, name: string): void =>
  message(item, 1, (parameter) =>
    message(parameter, 2, (nonBody) =>
      message(nonBody, 4, (path) => {
        flag(path, 1);
        text(path, 2, 'path');
        text(path, 4, name);
        text(path, 5, 'string');
        flag(path, 19);
      }),
    ),
  );

function namedSchema(writer: BinaryWriter, name: string, schema: JsonSchema): void {
  text(writer, 1, name);
  message(writer, 2, (inner) => writeSchema(inner, schema));
}

const typeItem = (writer: BinaryWriter, type: string): void =>
  message(writer, 22, (item) => text(item, 1, type));

/** In the order of the message's fields. */
function writeSchema(writer: BinaryWriter, schema: JsonSchema): void {
  if (typeof schema.$ref === 'string') text(writer, 1, schema.$ref);
  if (typeof schema.format === 'string') text(writer, 2, schema.format);
  if (typeof schema.description === 'string') text(writer, 4, schema.description);
  for (const name of (schema.required as readonly string[] | undefined) ?? []) text(writer, 19, name);
  const additional = schema.additionalProperties as JsonSchema | undefined;
  if (additional) message(writer, 21, (item) => message(item, 1, (inner) => writeSchema(inner, additional)));
  if (typeof schema.type === 'string') typeItem(writer, schema.type);
  const items = schema.items as JsonSchema | undefined;
  if (items) message(writer, 23, (item) => message(item, 1, (inner) => writeSchema(inner, items)));
  const properties = schema.properties as { readonly [name: string]: JsonSchema } | undefined;
  if (properties)
    message(writer, 25, (inner) => {
      for (const [name, property] of Object.entries(properties))
        message(inner, 1, (named) => namedSchema(named, name, property));
    });
  for (const [name, value] of Object.entries(schema))
    if (name.startsWith('x-')) extension(writer, 31, name, value);
}

/** Extensions travel as YAML; JSON is YAML. */
function extension(writer: BinaryWriter, field: number, name: string, value: unknown): void {
  message(writer, field, (named) => {
    text(named, 1, name);
    message(named, 2, (any) => text(any, 2, `${JSON.stringify(value)}\n`));
  });
}
