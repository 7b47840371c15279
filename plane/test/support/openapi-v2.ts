// Reads /openapi/v2 as kubectl up to 1.28 does: the protobuf message openapi.v2.Document. The field numbers are
// those of the published message, written down here a second time on purpose.
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import type { Json } from './api-client.ts';

type Kind = 'string' | 'bool' | 'double' | 'int' | Message;
interface Field {
  readonly name: string;
  readonly kind: Kind | (() => Message);
  readonly repeated?: true;
}
type Message = { readonly [number: number]: Field };

const text = (name: string): Field => ({ name, kind: 'string' });
const texts = (name: string): Field => ({ name, kind: 'string', repeated: true });
const flag = (name: string): Field => ({ name, kind: 'bool' });
const one = (name: string, kind: () => Message): Field => ({ name, kind });
const many = (name: string, kind: () => Message): Field => ({ name, kind, repeated: true });

const any: Message = { 2: text('yaml') };
const namedAny: Message = { 1: text('name'), 2: one('value', () => any) };
const typeItem: Message = { 1: texts('value') };
const itemsItem: Message = { 1: many('schema', () => schema) };
const additional: Message = { 1: one('schema', () => schema), 2: flag('boolean') };
const schema: Message = {
  1: text('ref'),
  2: text('format'),
  3: text('title'),
  4: text('description'),
  5: one('default', () => any),
  19: texts('required'),
  20: many('enum', () => any),
  21: one('additionalProperties', () => additional),
  22: one('type', () => typeItem),
  23: one('items', () => itemsItem),
  25: one('properties', () => properties),
  31: many('extensions', () => namedAny),
};
const namedSchema: Message = { 1: text('name'), 2: one('value', () => schema) };
const properties: Message = { 1: many('entries', () => namedSchema) };
const bodyParameter: Message = {
  1: text('description'),
  2: text('name'),
  3: text('in'),
  4: flag('required'),
  5: one('schema', () => schema),
};
const queryParameter: Message = {
  1: flag('required'),
  2: text('in'),
  3: text('description'),
  4: text('name'),
  6: text('type'),
  20: flag('uniqueItems'),
};
const pathParameter: Message = {
  1: flag('required'),
  2: text('in'),
  3: text('description'),
  4: text('name'),
  5: text('type'),
  19: flag('uniqueItems'),
};
const nonBodyParameter: Message = {
  3: one('query', () => queryParameter),
  4: one('path', () => pathParameter),
};
const parameter: Message = { 1: one('body', () => bodyParameter), 2: one('nonBody', () => nonBodyParameter) };
const parametersItem: Message = { 1: one('parameter', () => parameter) };
const response: Message = { 1: text('description') };
const responseValue: Message = { 1: one('response', () => response) };
const namedResponse: Message = { 1: text('name'), 2: one('value', () => responseValue) };
const responses: Message = { 1: many('codes', () => namedResponse) };
const operation: Message = {
  1: texts('tags'),
  2: text('summary'),
  3: text('description'),
  5: text('operationId'),
  6: texts('produces'),
  7: texts('consumes'),
  8: many('parameters', () => parametersItem),
  9: one('responses', () => responses),
  13: many('extensions', () => namedAny),
};
const pathItem: Message = {
  1: text('ref'),
  2: one('get', () => operation),
  3: one('put', () => operation),
  4: one('post', () => operation),
  5: one('delete', () => operation),
  8: one('patch', () => operation),
  9: many('parameters', () => parametersItem),
};
const namedPathItem: Message = { 1: text('name'), 2: one('value', () => pathItem) };
const paths: Message = { 2: many('entries', () => namedPathItem) };
const definitions: Message = { 1: many('entries', () => namedSchema) };
const info: Message = { 1: text('title'), 2: text('version') };
const document: Message = {
  1: text('swagger'),
  2: one('info', () => info),
  8: one('paths', () => paths),
  9: one('definitions', () => definitions),
};

/** Throws on any field that the message does not have, and on any wire type that the field does not have. */
export function decodeOpenApiV2(bytes: Uint8Array): Json {
  return read(new BinaryReader(bytes), bytes.length, document, 'Document');
}

function read(reader: BinaryReader, end: number, message: Message, where: string): Json {
  const result: Json = {};
  while (reader.pos < end) {
    const [number, wireType] = reader.tag();
    const field = message[number];
    if (!field) throw new Error(`${where} has no field ${number}`);
    const value = readValue(reader, wireType, field, `${where}.${field.name}`);
    result[field.name] = field.repeated ? [...(result[field.name] ?? []), value] : value;
  }
  return result;
}

function readValue(reader: BinaryReader, wireType: WireType, { kind }: Field, where: string): Json {
  const expected = kind === 'bool' || kind === 'int' ? WireType.Varint : WireType.LengthDelimited;
  if (wireType !== expected) throw new Error(`${where} has wire type ${wireType}`);
  if (kind === 'string') return reader.string();
  if (kind === 'bool') return reader.bool();
  if (typeof kind !== 'function') throw new Error(`${where} is not read here`);
  const length = reader.uint32();
  return read(reader, reader.pos + length, kind(), where);
}
