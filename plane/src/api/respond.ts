// Writing replies: objects in the form that was asked for, Status errors, warnings; gzip only for what is large and asked
// for.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { noteAnswered } from '../audit/audited-bodies.ts';
import { ApiError, statusOf } from './api-error.ts';
import type { Document } from './documents.ts';
import { JSON_TYPE, negotiate, YAML_TYPE } from './negotiate.ts';
import { yamlText } from './yaml-text.ts';

const GZIP_FROM_BYTES = 128 * 1024;

export function sendObject(response: ServerResponse, code: number, body: object): void {
  noteAnswered(response.req, body);
  const { type, bytes } = writtenFor(response.req, body);
  sendBytes(response, code, type, bytes);
}

/** JSON for who takes nothing that there is: he must be told so in something. */
export function writtenFor(request: IncomingMessage | undefined, body: object): Document {
  const { type } = negotiate(request?.headers.accept) ?? { type: JSON_TYPE };
  return { type, bytes: Buffer.from(type === YAML_TYPE ? yamlText(body) : JSON.stringify(body)) };
}

export function sendBytes(
  response: ServerResponse,
  code: number,
  contentType: string,
  bytes: Uint8Array,
): void {
  const zip = bytes.length >= GZIP_FROM_BYTES && acceptsGzip(response.req);
  const payload = zip ? gzipSync(bytes, { level: 1 }) : bytes;
  response.writeHead(code, {
    'Content-Type': contentType,
    'Content-Length': payload.length,
    ...(zip ? { 'Content-Encoding': 'gzip' } : {}),
  });
  response.end(payload);
}

export const acceptsGzip = (request: IncomingMessage): boolean =>
  /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));

export function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { code, body } = statusOf(error);
  if (error instanceof ApiError && error.details?.retryAfterSeconds)
    response.setHeader('Retry-After', error.details.retryAfterSeconds);
  sendObject(response, code, body);
}

/** As Kubernetes: clients read headers of so many bytes and no more. Too many are cut short, then left out. */
const WARNINGS_LIMIT = 4096;
const LONG_WARNING = 256;

/** Set before the reply; kubectl prints one line for each. */
export function setWarnings(response: ServerResponse, warnings: readonly string[]): void {
  const told = withinLimit(warnings);
  if (told.length > 0)
    response.setHeader(
      'Warning',
      told.map((text) => `299 - ${JSON.stringify(text.replace(/[^\x20-\x7e]/g, '?'))}`),
    );
}

function withinLimit(warnings: readonly string[]): string[] {
  const total = warnings.reduce((sum, { length }) => sum + length, 0);
  const texts = total <= WARNINGS_LIMIT ? warnings : warnings.map((text) => text.slice(0, LONG_WARNING));
  let room = WARNINGS_LIMIT;
  return texts.filter(({ length }) => {
    room -= length;
    return room >= 0;
  });
}
