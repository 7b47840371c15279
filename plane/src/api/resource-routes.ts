// One request about stored objects, which its user may make: what it is about, and what serves it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { User } from '../authentication/user.ts';
import type { Upgrade } from '../streams/upgrade.ts';
import { notFoundPath } from './api-error.ts';
import { serveMany } from './collection-routes.ts';
import { requireNegotiated } from './negotiate.ts';
import { serveOne, serveSubresource } from './object-routes.ts';
import type { RequestPath } from './request.ts';
import type { Call, ResourceParts } from './resource-call.ts';

/** What a container says is no object, in whatever form objects are asked for. */
const STREAMED = new Set(['log', 'exec', 'attach', 'portforward']);

export async function serveResource(
  parts: ResourceParts,
  path: RequestPath,
  query: URLSearchParams,
  user: User,
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
  upgrade?: Upgrade,
): Promise<void> {
  const kind = parts.findKind(path.group, path.plural);
  if (!kind || (path.namespace && !kind.namespaced)) throw notFoundPath();
  const { accept } = request.headers;
  const reply = requireNegotiated(STREAMED.has(path.subresource ?? '') ? undefined : accept);
  const call: Call = { parts, kind, path, user, query, reply, request, response, upgrade, signal };
  if (path.name && kind.namespaced && !path.namespace) throw notFoundPath();
  if (path.subresource) return serveSubresource(call);
  if (path.name) return serveOne(call, path.name);
  return serveMany(call);
}
