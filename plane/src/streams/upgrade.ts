// A request that asks for another protocol than HTTP. Until it is granted, errors are answered as to any other.
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { forbiddenRequest } from '../api/api-error.ts';

export interface Upgrade {
  readonly protocol: 'spdy' | 'websocket';
  /** The connection itself, with what came after the request put back. */
  readonly take: (headers: { readonly [name: string]: string }) => Duplex;
  /** As `take`, for whoever answers the request by himself. */
  readonly handOver: () => { readonly socket: Duplex; readonly head: Buffer };
  readonly granted: () => boolean;
  readonly drop: () => void;
  readonly gone: AbortSignal;
}

const UPGRADED = /^[^?]*\/pods\/[^/?]+\/(exec|attach|portforward)(\?|$)/;
/** By the parameter, or by the older path. */
const WATCHED = /^\/apis?\/[^?]*(\/watch\/|\?(.*&)?watch=(1|t|true)(&|$))/i;

/** Undefined when the request is to be served as it is. */
export function protocolAsked({
  method,
  url = '',
  headers,
}: IncomingMessage): Upgrade['protocol'] | undefined {
  const asked = String(headers.upgrade ?? '').toLowerCase();
  if (asked === 'websocket' && method === 'GET' && WATCHED.test(url)) return 'websocket';
  if (!UPGRADED.test(url)) return undefined;
  return asked === 'websocket' ? 'websocket' : asked === 'spdy/3.1' ? 'spdy' : undefined;
}

/** The first of `accepted` that the client speaks too; without one it is refused in Kubernetes' words. */
export function chooseProtocol(
  { headers }: IncomingMessage,
  { protocol }: Upgrade,
  accepted: readonly string[],
): string {
  const offered = protocolsOffered(headers, protocol);
  const chosen = accepted.find((name) => offered.includes(name));
  if (chosen !== undefined) return chosen;
  throw forbiddenRequest(
    `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${accepted.join(' ')}]`,
  );
}

export function protocolsOffered(
  headers: IncomingMessage['headers'],
  protocol: Upgrade['protocol'],
): string[] {
  const header = headers[protocol === 'websocket' ? 'sec-websocket-protocol' : 'x-stream-protocol-version'];
  // One line with commas, or many lines.
  return String(header ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

/** A response on the connection of an upgrade, which Node gives over without one. */
export function responseOn(request: IncomingMessage, socket: Duplex): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket as never);
  response.on('finish', () => {
    response.detachSocket(socket as never);
    socket.end(() => socket.destroy());
  });
  return response;
}

export function upgradeOf(
  request: IncomingMessage,
  response: ServerResponse,
  socket: Duplex,
  head: Buffer,
  onGrant: () => void = () => {},
): Upgrade {
  const gone = new AbortController();
  const leave = () => gone.abort();
  socket.on('close', leave);
  socket.on('error', leave);
  let granted = false;
  const handOver = () => {
    granted = true;
    onGrant();
    response.detachSocket(socket as never);
    return { socket, head };
  };
  return {
    protocol: protocolAsked(request) ?? 'spdy',
    granted: () => granted,
    drop: () => void socket.destroy(),
    gone: gone.signal,
    handOver,
    take: (headers) => {
      handOver();
      const lines = Object.entries({ Connection: 'Upgrade', ...headers }).map(
        ([name, value]) => `${name}: ${value}\r\n`,
      );
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`);
      if (head.length > 0) socket.unshift(head);
      return socket;
    },
  };
}
