// What is answered from memory: discovery, and the schemas of all kinds.
import type { IncomingMessage } from 'node:http';
import { type Kind, versionOf } from '../kinds/kind.ts';
import { openApiV3Index } from '../openapi/document-v3.ts';
import {
  aggregatedContentType,
  aggregatedDiscovery,
  aggregatedVersion,
  apiGroup,
  apiGroupList,
  apiResourceList,
  apiVersions,
} from './discovery.ts';

export interface Document {
  readonly type: string;
  readonly bytes: Uint8Array;
}

/** Its own media type has an @, which Go's clients cannot parse in an answer. */
const OPENAPI_V2_TYPE = 'application/octet-stream';

export function findDocument(
  pathname: string,
  request: IncomingMessage,
  kinds: readonly Kind[],
  v3: ReadonlyMap<string, string>,
  v2: Uint8Array,
): Document | undefined {
  const json = (body: object): Document => ({
    type: 'application/json',
    bytes: Buffer.from(JSON.stringify(body)),
  });
  if (pathname === '/api' || pathname === '/apis')
    return discoveryRoot(pathname === '/api', request, kinds, json);
  if (pathname === '/api/v1') return json(apiResourceList(kinds, ''));
  const [, group, version] = /^\/apis\/([^/]+)(?:\/([^/]+))?$/.exec(pathname) ?? [];
  const served = group !== undefined && (version ?? versionOf(group)) === versionOf(group);
  if (served && kinds.some((kind) => kind.group === group))
    return json(version ? apiResourceList(kinds, group) : apiGroup(group));
  if (pathname === '/openapi/v2') return { type: OPENAPI_V2_TYPE, bytes: v2 };
  if (pathname === '/openapi/v3') return json(openApiV3Index(v3));
  const text = pathname.startsWith('/openapi/v3/')
    ? v3.get(pathname.slice('/openapi/v3/'.length))
    : undefined;
  return text === undefined ? undefined : { type: 'application/json', bytes: Buffer.from(text) };
}

function discoveryRoot(
  core: boolean,
  request: IncomingMessage,
  kinds: readonly Kind[],
  json: (body: object) => Document,
): Document {
  const version = aggregatedVersion(request.headers.accept);
  if (!version) return json(core ? apiVersions() : apiGroupList(kinds));
  return { ...json(aggregatedDiscovery(kinds, version, core)), type: aggregatedContentType(version) };
}
