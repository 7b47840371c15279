// One request about stored objects, which its user may make: what it is about, and what serves it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { User } from '../authentication/user.ts';
import type { Upgrade } from '../streams/upgrade.ts';
import { notFoundPath } from './api-error.ts';
import { serveMany } from './collection-routes.ts';
import { serveOne, serveSubresource } from './object-routes.ts';
import { type RequestPath, replyForm } from './request.ts';
import type { Call, ResourceParts } from './resource-call.ts';

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
  const form = replyForm(request.headers.accept);
  const call: Call = { parts, kind, path, user, query, form, request, response, upgrade, signal };
  if (path.name && kind.namespaced && !path.namespace) throw notFoundPath();
  if (path.subresource) return serveSubresource(call);
  if (path.name) return serveOne(call, path.name);
  return serveMany(call);
}
