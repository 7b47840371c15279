// The vocabulary in which messages of Kubernetes' protobuf are described and read: fields by their number.
import type { BinaryReader } from '@bufbuild/protobuf/wire';

type Reading = (reader: BinaryReader) => unknown;
interface Field {
  readonly name: string;
  readonly read: Reading;
  readonly shape: 'one' | 'many' | 'map';
}
export type Message = { readonly [number: number]: Field };

export const text: Reading = (reader) => reader.string();
export const flag: Reading = (reader) => reader.bool();
export const integer: Reading = (reader) => Number(reader.int64());
export const base64: Reading = (reader) => Buffer.from(reader.bytes()).toString('base64');
export const message =
  (fields: Message): Reading =>
  (reader) =>
    readMessage(fields, reader, reader.uint32());

export const one = (name: string, read: Reading): Field => ({ name, read, shape: 'one' });
export const many = (name: string, read: Reading): Field => ({ name, read, shape: 'many' });
export const map = (name: string, value: Reading): Field => ({
  name,
  read: message({ 1: one('key', text), 2: one('value', value) }),
  shape: 'map',
});

const ownerReference: Message = {
  1: one('kind', text),
  3: one('name', text),
  4: one('uid', text),
  5: one('apiVersion', text),
  6: one('controller', flag),
  7: one('blockOwnerDeletion', flag),
};
/** What only the server sets (times, versions) is not read: a client's word on it does not count. */
const objectMeta: Message = {
  1: one('name', text),
  2: one('generateName', text),
  3: one('namespace', text),
  11: map('labels', text),
  12: map('annotations', text),
  13: many('ownerReferences', message(ownerReference)),
  14: many('finalizers', text),
};
export const metadata = one('metadata', message(objectMeta));

export function readMessage(
  fields: Message,
  reader: BinaryReader,
  length: number,
): { [field: string]: unknown } {
  const end = reader.pos + length;
  const result: { [field: string]: unknown } = {};
  while (reader.pos < end) {
    const [number, wireType] = reader.tag();
    const field = fields[number];
    if (!field) reader.skip(wireType, number);
    else put(result, field, field.read(reader));
  }
  return result;
}

function put(result: { [field: string]: unknown }, { name, shape }: Field, value: unknown): void {
  if (shape === 'one') result[name] = value;
  else if (shape === 'many') {
    result[name] ??= [];
    (result[name] as unknown[]).push(value);
  } else {
    const { key = '', value: item = '' } = value as { key?: string; value?: unknown };
    const entries = (result[name] as { [key: string]: unknown } | undefined) ?? {};
    Object.defineProperty(entries, key, {
      value: item,
      enumerable: true,
      configurable: true,
      writable: true,
    });
    result[name] = entries;
  }
}
