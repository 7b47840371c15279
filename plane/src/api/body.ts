// Reads a request's body, bounded, and as the JSON it claims to be.
import type { IncomingMessage } from 'node:http';
import { duplicateFields } from '@fleetset/scheduler-core/schema/duplicate-fields';
import { parseDocument } from 'yaml';
import { noteAsked } from '../audit/audited-bodies.ts';
import { ApiError, badRequest, tooLarge, unsupportedMediaType } from './api-error.ts';
import { decodeProtobuf, PROTOBUF_TYPE } from './protobuf-body.ts';

/** As Kubernetes' API server. */
export const BODY_LIMIT_BYTES = 3 * 1024 * 1024;

export const contentTypeOf = (request: IncomingMessage): string =>
  (request.headers['content-type'] ?? 'application/json').split(';')[0]?.trim().toLowerCase() ?? '';

export const readBody = async (request: IncomingMessage): Promise<string> =>
  (await readBytes(request)).toString('utf8');

async function readBytes(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request) {
      size += (chunk as Buffer).length;
      // The rest is read and dropped, so that the client gets to read the answer.
      if (size <= BODY_LIMIT_BYTES) chunks.push(chunk as Buffer);
      else chunks.length = 0;
    }
  } catch (error) {
    throw new ApiError(400, 'BadRequest', 'the request body did not arrive whole', undefined, error);
  }
  if (size > BODY_LIMIT_BYTES) throw tooLarge(BODY_LIMIT_BYTES);
  return Buffer.concat(chunks);
}

/** An object, in JSON or in the protobuf that newer clients send for some kinds. */
export const readObject = async (request: IncomingMessage): Promise<unknown> =>
  noteAsked(request, await decodeBody(request));

async function decodeBody(request: IncomingMessage): Promise<unknown> {
  const type = contentTypeOf(request);
  if (type === PROTOBUF_TYPE) return decodeProtobuf(await readBytes(request));
  if (type === 'application/yaml') return parseYaml(await readBody(request));
  if (type !== 'application/json')
    throw unsupportedMediaType(
      `the body of the request was in an unknown format - accepted media types include: application/json, application/yaml (got ${type})`,
    );
  return readJson(request, await readBody(request));
}

/** JSON texts, for those who ask what they set twice. */
const texts = new WeakMap<IncomingMessage, string>();

/** Fields that the JSON of the request's body sets more than once; of what was read as something else there are none. */
export const duplicatesIn = (request: IncomingMessage): string[] => {
  const text = texts.get(request);
  return text === undefined ? [] : duplicateFields(text);
};

export function readJson(request: IncomingMessage, text: string): unknown {
  const value = parseJson(text);
  texts.set(request, text);
  return value;
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badRequest(`the body of the request is not JSON: ${(error as Error).message}`);
  }
}

/** JSON is YAML, and most of what claims to be YAML is JSON. */
export function parseYaml(text: string): unknown {
  if (text.trimStart().startsWith('{')) return parseJson(text);
  const document = parseDocument(text, { merge: true, logLevel: 'silent' });
  const [error] = document.errors;
  if (error) throw badRequest(`the body of the request is not YAML: ${error.message.split('\n')[0]}`);
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw badRequest(`the body of the request is not YAML: ${(error as Error).message}`);
  }
}

/** For DELETE, whose body may be absent. */
export async function readOptionalJson(request: IncomingMessage): Promise<unknown> {
  const text = await readBody(request);
  return noteAsked(request, text.trim() === '' ? {} : parseJson(text));
}
