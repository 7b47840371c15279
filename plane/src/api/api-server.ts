// The HTTPS end of the plane: TLS, who is calling, and which part answers.
import type { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Duplex } from 'node:stream';
import { type AuditEntry, type AuditLog, isLongRunning } from '../audit/audit-log.ts';
import type { User } from '../authentication/user.ts';
import { forbiddenAccess } from '../authorization/authorizer.ts';
import { accessOf } from '../authorization/request-access.ts';
import type { Kind } from '../kinds/kind.ts';
import { protocolAsked, responseOn, type Upgrade, upgradeOf } from '../streams/upgrade.ts';
import { methodNotAllowed, notFoundPath } from './api-error.ts';
import { describedDocuments, isHeld } from './described-documents.ts';
import { type Document, findDocument } from './documents.ts';
import { type Exchange, type Reply, runExchange } from './exchange.ts';
import { type HealthChecks, serveHealth } from './health.ts';
import { parseAnyResourcePath, parseResourcePath, withoutWatchPath } from './request.ts';
import { serveInTime, serveLong, timeoutOf } from './request-limits.ts';
import type { ResourceParts } from './resource-call.ts';
import { serveResource } from './resource-routes.ts';
import { sendBytes } from './respond.ts';

export interface ApiServerParts extends Omit<ResourceParts, 'signal'> {
  readonly tls: { readonly key: string; readonly cert: string; readonly ca: string };
  readonly kinds: readonly Kind[];
  readonly versionInfo: object;
  readonly version: string;
  readonly health: HealthChecks;
  /** Throws 401 for credentials that are not good. */
  readonly authenticate: (request: IncomingMessage) => User;
  /** As whom it is to be served. Throws 403 for who may not act as whom he says. */
  readonly impersonate: (user: User, request: IncomingMessage) => User;
  readonly audit: AuditLog | undefined;
  /** More documents by their path, made when they are asked for. */
  readonly documents: ReadonlyMap<string, () => Document>;
  /** Called once for each reply, and for each error that is not the client's. */
  readonly onReply: (reply: Reply) => void;
}

/** A client that is so slow to say who it is and what it wants is none. */
const HEADERS_WITHIN_MS = 20_000;
const SWEEP_EVERY_MS = 50;

export interface ApiServer {
  readonly listen: (host: string, port: number) => Promise<number>;
  readonly close: () => Promise<void>;
}

export function createApiServer(parts: ApiServerParts): ApiServer {
  const stop = new AbortController();
  const described = describedDocuments(parts.kinds, parts.version);
  const { limits } = parts;
  const resourceParts: ResourceParts = { ...parts, signal: stop.signal };

  const serve = async (exchange: Exchange): Promise<void> => {
    const { request, response, upgrade } = exchange;
    const url = urlOf(request.url ?? '/');
    const user = callerOf(parts, exchange, url);
    if (servePublic(url, response, parts)) return;
    if (serveDocument(url.pathname, request, response)) return;
    const path = parseResourcePath(url.pathname);
    if (!path) throw notFoundPath();
    const work = (signal: AbortSignal) =>
      serveResource(resourceParts, path, url.searchParams, user, request, response, signal, upgrade);
    if (isLongRunning(accessOf(request.method ?? '', url)))
      await serveLong(limits, user.name, stop.signal, work);
    else {
      const timeoutMs = timeoutOf(url.searchParams, limits.timeoutMs);
      await serveInTime(limits, user.name, response, timeoutMs, work);
    }
  };

  const serveDocument = (pathname: string, request: IncomingMessage, response: ServerResponse): boolean => {
    const path = pathname.replace(/\/$/, '');
    const document = parts.documents.get(path)?.() ?? findDocument(path, request, parts.kinds, described);
    if (!document) return false;
    if (request.method !== 'GET') throw methodNotAllowed(`${request.method} is not allowed on ${pathname}`);
    response.setHeader('Vary', 'Accept');
    if (document.etag) response.setHeader('ETag', document.etag);
    if (isHeld(document.etag, request.headers['if-none-match'])) response.writeHead(304).end();
    else sendBytes(response, 200, document.type, document.bytes);
    return true;
  };

  const answer = (
    request: IncomingMessage,
    response: ServerResponse,
    closed: EventEmitter,
    upgradeWith?: (audit: AuditEntry | undefined) => Upgrade,
  ) => {
    const audit = parts.audit?.begin(request);
    const upgrade = upgradeWith?.(audit);
    const exchange = { request, response, audit, ...(upgrade ? { upgrade } : {}) };
    void runExchange(exchange, closed, serve, parts.onReply);
  };
  const server = createServer(
    {
      ...parts.tls,
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      handshakeTimeout: HEADERS_WITHIN_MS,
      connectionsCheckingInterval: 5000,
      shouldUpgradeCallback: (request) => protocolAsked(request) !== undefined,
    },
    (request, response) => answer(request, response, response),
  );
  const upgraded = new Set<Duplex>();
  server.on('upgrade', (request, socket, head) => {
    upgraded.add(socket);
    socket.on('close', () => upgraded.delete(socket));
    const response = responseOn(request, socket);
    answer(request, response, socket, (audit) =>
      upgradeOf(request, response, socket, head, () => audit?.started(101)),
    );
  });
  // How long a request may take to arrive; what is answered may take as long as its reader wants.
  server.requestTimeout = limits.timeoutMs;
  server.headersTimeout = Math.min(HEADERS_WITHIN_MS, limits.timeoutMs);
  server.maxConnections = limits.connections;
  server.keepAliveTimeout = 120_000;
  server.on('tlsClientError', () => {});
  return {
    listen: (host, port) => listen(server, host, port),
    close: async () => {
      stop.abort();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // What is under way is answered, and its connection has no further use then.
      const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_EVERY_MS);
      const force = setTimeout(() => {
        server.closeAllConnections();
        for (const socket of upgraded) socket.destroy();
      }, limits.stopMs);
      server.closeIdleConnections();
      await closed;
      clearInterval(sweep);
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

/** Who asks, having leave to. */
function callerOf(parts: ApiServerParts, exchange: Exchange, url: URL): User {
  const { request, upgrade, audit } = exchange;
  const access = accessOf(request.method ?? '', url);
  const apiVersion = parseAnyResourcePath(url.pathname)?.version ?? '';
  const caller = authenticated(parts, request, () => audit?.asked(access, apiVersion, undefined));
  exchange.user = caller;
  audit?.asked(access, apiVersion, caller);
  const user = parts.impersonate(caller, request);
  exchange.user = user;
  if (user !== caller) audit?.actsAs(user);
  const verdict = parts.authorizer.judge(user, access);
  audit?.decided(verdict);
  if (!verdict.allowed) throw forbiddenAccess(user, access, verdict.reason);
  // A WebSocket is asked for with GET; what it does in a container is no reading.
  if (upgrade && access.verb === 'get') parts.authorizer.require(user, { ...access, verb: 'create' });
  return user;
}

function authenticated(parts: ApiServerParts, request: IncomingMessage, onRefusal: () => void): User {
  try {
    return parts.authenticate(request);
  } catch (error) {
    onRefusal();
    throw error;
  }
}

/** A path that begins with two slashes is one all the same, and not a host. */
function urlOf(target: string): URL {
  const text = target.startsWith('/') ? `https://plane${target}` : target;
  if (!URL.canParse(text)) throw notFoundPath();
  return withoutWatchPath(new URL(text));
}

/** What everybody may ask for: health and version. */
function servePublic(url: URL, response: ServerResponse, parts: ApiServerParts): boolean {
  if (/^\/version\/?$/.test(url.pathname)) {
    sendBytes(response, 200, 'application/json', Buffer.from(JSON.stringify(parts.versionInfo)));
    return true;
  }
  return serveHealth(url, response, parts.health);
}
