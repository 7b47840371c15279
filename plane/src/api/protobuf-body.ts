// Bodies in Kubernetes' protobuf, which kubectl from 1.32 on sends for what it makes by itself (`create namespace`,
// `create token`, `auth can-i`), and Go's controllers for what they delete. The field numbers are those of the published
// messages.
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { ApiError, badRequest, unsupportedMediaType } from './api-error.ts';
import { AUTH_MESSAGES } from './protobuf-auth-messages.ts';
import {
  base64,
  flag,
  type Message,
  map,
  message,
  metadata,
  one,
  readMessage,
  text,
} from './protobuf-fields.ts';
import { deleteOptions, STORED_MESSAGES } from './protobuf-stored-messages.ts';

export const PROTOBUF_TYPE = 'application/vnd.kubernetes.protobuf';

/** By apiVersion and kind. */
const KINDS: { readonly [kind: string]: Message } = {
  ...STORED_MESSAGES,
  ...AUTH_MESSAGES,
  'v1 Namespace': { 1: metadata },
  'v1 ConfigMap': {
    1: metadata,
    2: map('data', text),
    3: map('binaryData', base64),
    4: one('immutable', flag),
  },
  'v1 Secret': {
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
    const kind = `${typeMeta?.apiVersion} ${typeMeta?.kind}`;
    const known = Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;
    // Every group has options of its own version.
    const fields = typeMeta?.kind === 'DeleteOptions' ? deleteOptions : known;
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
