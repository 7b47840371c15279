// Bodies in Kubernetes' protobuf, which kubectl from 1.32 on sends for `create namespace`, `create configmap` and
// `create secret`. The field numbers are those of the published messages.
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { ApiError, badRequest, unsupportedMediaType } from './api-error.ts';

export const PROTOBUF_TYPE = 'application/vnd.kubernetes.protobuf';

type Reading = (reader: BinaryReader) => unknown;
interface Field {
  readonly name: string;
  readonly read: Reading;
  readonly shape: 'one' | 'many' | 'map';
}
type Message = { readonly [number: number]: Field };

const text: Reading = (reader) => reader.string();
const flag: Reading = (reader) => reader.bool();
const base64: Reading = (reader) => Buffer.from(reader.bytes()).toString('base64');
const message =
  (fields: Message): Reading =>
  (reader) =>
    readMessage(fields, reader, reader.uint32());

const one = (name: string, read: Reading): Field => ({ name, read, shape: 'one' });
const many = (name: string, read: Reading): Field => ({ name, read, shape: 'many' });
const map = (name: string, value: Reading): Field => ({
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
const metadata = one('metadata', message(objectMeta));

const KINDS: { readonly [kind: string]: Message } = {
  Namespace: { 1: metadata },
  ConfigMap: { 1: metadata, 2: map('data', text), 3: map('binaryData', base64), 4: one('immutable', flag) },
  Secret: {
    1: metadata,
    2: map('data', base64),
    3: one('type', text),
    4: map('stringData', text),
    5: one('immutable', flag),
  },
};

const MAGIC = Buffer.from([0x6b, 0x38, 0x73, 0x00]);
const envelope: Message = {
  1: one('typeMeta', message({ 1: one('apiVersion', text), 2: one('kind', text) })),
  2: one('raw', (reader) => reader.bytes()),
};

/** The object in JSON's shape. */
export function decodeProtobuf(body: Uint8Array): unknown {
  if (!MAGIC.equals(body.subarray(0, MAGIC.length))) throw badRequest('the body is not Kubernetes protobuf');
  try {
    const reader = new BinaryReader(body.subarray(MAGIC.length));
    const { typeMeta, raw } = readMessage(envelope, reader, reader.len) as {
      typeMeta?: { apiVersion?: string; kind?: string };
      raw?: Uint8Array;
    };
    const kind = typeMeta?.kind ?? '';
    const fields = typeMeta?.apiVersion === 'v1' && Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;
    if (!fields)
      throw unsupportedMediaType(
        `protobuf is not taken for ${typeMeta?.kind ?? 'this kind'}: send application/json`,
      );
    const content = new BinaryReader(raw ?? new Uint8Array());
    return { ...typeMeta, ...readMessage(fields, content, content.len) };
  } catch (error) {
    if (error instanceof ApiError) throw error;
    // Whatever the library makes of broken bytes.
    throw badRequest(`the body is not readable protobuf: ${(error as Error).message}`);
  }
}

function readMessage(fields: Message, reader: BinaryReader, length: number): { [field: string]: unknown } {
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
  else if (shape === 'many') result[name] = [...((result[name] as unknown[] | undefined) ?? []), value];
  else {
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
