// What is answered from memory: discovery, and the schemas of all kinds.
import type { IncomingMessage } from 'node:http';
import { type Kind, versionOf } from '../kinds/kind.ts';
import {
  aggregatedContentType,
  aggregatedDiscovery,
  aggregatedVersion,
  apiGroup,
  apiGroupList,
  apiResourceList,
  apiVersions,
} from './discovery.ts';
import { writtenFor } from './respond.ts';

export interface Document {
  readonly type: string;
  readonly bytes: Uint8Array;
  readonly etag?: string;
}

export function findDocument(
  pathname: string,
  request: IncomingMessage,
  kinds: readonly Kind[],
  described: ReadonlyMap<string, Document>,
): Document | undefined {
  const written = (body: object) => writtenFor(request, body);
  if (pathname === '/api' || pathname === '/apis') return discoveryRoot(pathname === '/api', request, kinds);
  if (pathname === '/api/v1') return written(apiResourceList(kinds, ''));
  const [, group, version] = /^\/apis\/([^/]+)(?:\/([^/]+))?$/.exec(pathname) ?? [];
  const served = group !== undefined && (version ?? versionOf(group)) === versionOf(group);
  if (served && kinds.some((kind) => kind.group === group))
    return written(version ? apiResourceList(kinds, group) : apiGroup(group));
  return described.get(pathname);
}

function discoveryRoot(core: boolean, request: IncomingMessage, kinds: readonly Kind[]): Document {
  const version = aggregatedVersion(request.headers.accept);
  if (!version) return writtenFor(request, core ? apiVersions() : apiGroupList(kinds));
  const text = JSON.stringify(aggregatedDiscovery(kinds, version, core));
  return { type: aggregatedContentType(version), bytes: Buffer.from(text) };
}
