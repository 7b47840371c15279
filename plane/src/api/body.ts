// Reads a request's body, bounded, and as the JSON it claims to be.
import type { IncomingMessage } from 'node:http';
import { duplicateFields } from '@fleetset/scheduler-core/schema/duplicate-fields';
import { parseDocument } from 'yaml';
import { noteAsked } from '../audit/audited-bodies.ts';
import { ApiError, badRequest, tooLarge, unsupportedMediaType } from './api-error.ts';
import { repeatedKeys, requireAffordable, requireShallow } from './document-limits.ts';
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
  noteAsked(request, decodeBody(request, await readBytes(request)));

/** As `readObject`, of a request whose body may be absent. */
export async function readOptionalObject(request: IncomingMessage): Promise<unknown> {
  const bytes = await readBytes(request);
  return noteAsked(request, bytes.length === 0 ? {} : decodeBody(request, bytes));
}

function decodeBody(request: IncomingMessage, bytes: Buffer): unknown {
  const type = contentTypeOf(request);
  if (type === PROTOBUF_TYPE) return decodeProtobuf(bytes);
  if (type === 'application/yaml') return readYaml(request, bytes.toString('utf8'));
  if (type === 'application/json') return readJson(request, bytes.toString('utf8'));
  throw unsupportedMediaType(
    `the body of the request was in an unknown format - accepted media types include: application/json, application/yaml (got ${type})`,
  );
}

/** For those who ask what a body sets twice. */
const repeated = new WeakMap<IncomingMessage, () => readonly string[]>();

/** Fields that the request's body sets more than once; protobuf says nothing of them. */
export const duplicatesIn = (request: IncomingMessage): readonly string[] => repeated.get(request)?.() ?? [];

export function readJson(request: IncomingMessage, text: string): unknown {
  const value = parseJson(text);
  repeated.set(request, () => duplicateFields(text));
  return value;
}

/** JSON is YAML, and most of what claims to be YAML is JSON. */
export function readYaml(request: IncomingMessage, text: string): unknown {
  if (text.trimStart().startsWith('{')) return readJson(request, text);
  const { value, repeats } = parseYaml(text);
  repeated.set(request, () => repeats);
  return value;
}

export function parseJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw badRequest(`the body of the request is not JSON: ${(error as Error).message}`);
  }
  return requireShallow(value);
}

export interface YamlBody {
  readonly value: unknown;
  /** Paths of what is set more than once; the last counts. */
  readonly repeats: readonly string[];
}

export function parseYaml(text: string): YamlBody {
  requireAffordable(text);
  const document = parseDocument(text, { merge: true, logLevel: 'silent', uniqueKeys: false });
  const [error] = document.errors;
  if (error) throw badRequest(`the body of the request is not YAML: ${error.message.split('\n')[0]}`);
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw badRequest(`the body of the request is not YAML: ${(error as Error).message}`);
  }
  return { value: requireShallow(value), repeats: repeatedKeys(document) };
}
