// The schemas of all kinds as OpenAPI: made once, and named by their hashes, so that clients need to read them but once.
import type { Kind } from '../kinds/kind.ts';
import { openApiV2 } from '../openapi/document-v2.ts';
import { hashOf, openApiV3, openApiV3Index } from '../openapi/document-v3.ts';
import type { Document } from './documents.ts';
import { JSON_TYPE } from './negotiate.ts';

/** Its own media type has an @, which Go's clients cannot parse in an answer. */
const OPENAPI_V2_TYPE = 'application/octet-stream';

/** By path. */
export function describedDocuments(kinds: readonly Kind[], version: string): ReadonlyMap<string, Document> {
  const tagged = (type: string, bytes: Uint8Array): Document => ({ type, bytes, etag: `"${hashOf(bytes)}"` });
  const json = (text: string) => tagged(JSON_TYPE, Buffer.from(text));
  const v3 = openApiV3(kinds, version);
  return new Map([
    ['/openapi/v2', tagged(OPENAPI_V2_TYPE, openApiV2(kinds, version))],
    ['/openapi/v3', json(JSON.stringify(openApiV3Index(v3)))],
    ...[...v3].map(([key, text]) => [`/openapi/v3/${key}`, json(text)] as const),
  ]);
}

/** What the client has is what it would be sent. */
export const isHeld = (etag: string | undefined, ifNoneMatch: string | undefined): boolean =>
  etag !== undefined &&
  (ifNoneMatch ?? '')
    .split(',')
    .map((tag) => tag.trim().replace(/^W\//, ''))
    .some((tag) => tag === etag || tag === '*');
