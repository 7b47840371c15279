// A bearer token in the name of a WebSocket's subprotocol: browsers can set no other header of such a request.

import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { unauthorized } from '../api/api-error.ts';

const PREFIX = 'base64url.bearer.authorization.k8s.io.';

/**
 * Undefined when there is none. It is taken out of the request: it is no protocol, and nobody else is to see it. As in
 * Kubernetes, another subprotocol must be asked for too, since a browser wants to be answered with one.
 */
export function takeWebSocketToken({ headers }: Pick<IncomingMessage, 'headers'>): string | undefined {
  if (headers.upgrade?.toLowerCase() !== 'websocket') return undefined;
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
  const tokens = offered.filter((name) => name.startsWith(PREFIX));
  const [first] = tokens;
  if (first === undefined) return undefined;
  const others = offered.filter((name) => name !== '' && !name.startsWith(PREFIX));
  headers['sec-websocket-protocol'] = others.join(', ');
  const encoded = first.slice(PREFIX.length);
  const bytes = Buffer.from(encoded, 'base64url');
  const isGood = tokens.length === 1 && others.length > 0 && /^[\w-]+$/.test(encoded) && isUtf8(bytes);
  if (!isGood) throw unauthorized();
  return bytes.toString('utf8');
}
