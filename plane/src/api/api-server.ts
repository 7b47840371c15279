// The HTTPS end of the plane: TLS, who is calling, and which part answers.
import type { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Duplex } from 'node:stream';
import type { User } from '../authentication/user.ts';
import { accessOf } from '../authorization/request-access.ts';
import { type Kind, versionOf } from '../kinds/kind.ts';
import { openApiV2 } from '../openapi/document-v2.ts';
import { openApiV3, openApiV3Index } from '../openapi/document-v3.ts';
import { protocolAsked, responseOn, type Upgrade, upgradeOf } from '../streams/upgrade.ts';
import { ApiError, methodNotAllowed, notFoundPath } from './api-error.ts';
import {
  aggregatedContentType,
  aggregatedDiscovery,
  aggregatedVersion,
  apiGroup,
  apiGroupList,
  apiResourceList,
  apiVersions,
} from './discovery.ts';
import { parseResourcePath } from './request.ts';
import { type ResourceParts, serveResource } from './resource-routes.ts';
import { sendBytes, sendError, sendJson } from './respond.ts';

export interface ApiServerParts extends Omit<ResourceParts, 'signal'> {
  readonly tls: { readonly key: string; readonly cert: string; readonly ca: string };
  readonly kinds: readonly Kind[];
  readonly versionInfo: object;
  readonly version: string;
  readonly isReady: () => boolean;
  /** Throws 401 for credentials that are not good, and 403 for who may not act as whom he says. */
  readonly userOf: (request: IncomingMessage) => User;
  /** More documents by their path, made when they are asked for. */
  readonly documents: ReadonlyMap<string, () => Document>;
  /** Called once for each reply, and for each error that is not the client's. */
  readonly onReply: (reply: {
    method: string;
    path: string;
    code: number;
    user?: string;
    error?: unknown;
  }) => void;
}

export interface ApiServer {
  readonly listen: (host: string, port: number) => Promise<number>;
  readonly close: () => Promise<void>;
}

export function createApiServer(parts: ApiServerParts): ApiServer {
  const stop = new AbortController();
  const documents = openApiV3(parts.kinds, parts.version);
  const documentV2 = openApiV2(parts.kinds, parts.version);
  const users = new WeakMap<IncomingMessage, User>();
  const resourceParts: ResourceParts = { ...parts, signal: stop.signal };

  const serve = async (
    request: IncomingMessage,
    response: ServerResponse,
    upgrade?: Upgrade,
  ): Promise<void> => {
    const url = urlOf(request.url ?? '/');
    const user = parts.userOf(request);
    users.set(request, user);
    const access = accessOf(request.method ?? '', url);
    parts.authorizer.require(user, access);
    // A WebSocket is asked for with GET; what it does in a container is no reading.
    if (upgrade && access.verb === 'get') parts.authorizer.require(user, { ...access, verb: 'create' });
    if (servePublic(url.pathname, response, parts)) return;
    if (serveDocument(url.pathname, request, response)) return;
    const path = parseResourcePath(url.pathname);
    if (!path) throw notFoundPath();
    await serveResource(resourceParts, path, url.searchParams, user, request, response, upgrade);
  };

  const serveDocument = (pathname: string, request: IncomingMessage, response: ServerResponse): boolean => {
    const path = pathname.replace(/\/$/, '');
    const document =
      parts.documents.get(path)?.() ?? findDocument(path, request, parts.kinds, documents, documentV2);
    if (!document) return false;
    if (request.method !== 'GET') throw methodNotAllowed(`${request.method} is not allowed on ${pathname}`);
    response.setHeader('Vary', 'Accept');
    sendBytes(response, 200, document.type, document.bytes);
    return true;
  };

  /** `closed`: the exchange is over, whoever ended it. */
  const answer = (
    request: IncomingMessage,
    response: ServerResponse,
    closed: EventEmitter,
    upgrade?: Upgrade,
  ) => {
    let failure: unknown;
    closed.on('close', () => {
      const user = users.get(request)?.name;
      parts.onReply({
        method: request.method ?? '',
        path: request.url ?? '',
        code: upgrade?.granted() ? 101 : response.statusCode,
        ...(user === undefined ? {} : { user }),
        ...(failure === undefined ? {} : { error: failure }),
      });
    });
    serve(request, response, upgrade).catch((error: unknown) => {
      if (!(error instanceof ApiError) || error.code === 500) failure = error;
      if (upgrade?.granted()) upgrade.drop();
      else sendError(response, error);
    });
  };
  const server = createServer(
    {
      ...parts.tls,
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      shouldUpgradeCallback: (request) => protocolAsked(request) !== undefined,
    },
    (request, response) => answer(request, response, response),
  );
  const upgraded = new Set<Duplex>();
  server.on('upgrade', (request, socket, head) => {
    upgraded.add(socket);
    socket.on('close', () => upgraded.delete(socket));
    const response = responseOn(request, socket);
    answer(request, response, socket, upgradeOf(request, response, socket, head));
  });
  // Watches and log streams stay open for as long as their reader wants; idle ones are ended by their own rules.
  server.requestTimeout = 60_000;
  server.headersTimeout = 20_000;
  server.keepAliveTimeout = 120_000;
  server.on('tlsClientError', () => {});
  return {
    listen: (host, port) => listen(server, host, port),
    close: async () => {
      stop.abort();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const force = setTimeout(() => {
        server.closeAllConnections();
        for (const socket of upgraded) socket.destroy();
      }, 2000);
      await closed;
      clearTimeout(force);
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : port);
    });
  });
}

/** A path that begins with two slashes is one all the same, and not a host. */
function urlOf(target: string): URL {
  const text = target.startsWith('/') ? `https://plane${target}` : target;
  if (!URL.canParse(text)) throw notFoundPath();
  return new URL(text);
}

/** What everybody may ask for: health and version. */
function servePublic(pathname: string, response: ServerResponse, parts: ApiServerParts): boolean {
  if (/^\/version\/?$/.test(pathname)) {
    sendJson(response, 200, parts.versionInfo);
    return true;
  }
  if (!/^\/(healthz|livez|readyz)(\/ping)?$/.test(pathname)) return false;
  const ok = !pathname.startsWith('/readyz') || parts.isReady();
  sendBytes(response, ok ? 200 : 503, 'text/plain; charset=utf-8', Buffer.from(ok ? 'ok' : 'not ready'));
  return true;
}

export interface Document {
  readonly type: string;
  readonly bytes: Uint8Array;
}

/** Its own media type has an @, which Go's clients cannot parse in an answer. */
const OPENAPI_V2_TYPE = 'application/octet-stream';

function findDocument(
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
