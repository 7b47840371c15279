// WebSockets of clients. The only file that imports ws.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws';
import { badRequest } from '../api/api-error.ts';
import type { Upgrade } from './upgrade.ts';

/** Clients send what they have read at once; it is held as a whole. */
const MESSAGE_LIMIT_BYTES = 4 * 1024 * 1024;
const PING_MS = 5000;

/** Before anything is begun for the client: what cannot become a WebSocket is an ordinary bad request. */
export function requireWebSocket({ method, headers }: IncomingMessage): void {
  const key = String(headers['sec-websocket-key'] ?? '');
  if (method !== 'GET') throw badRequest('a WebSocket is asked for with GET');
  if (headers['sec-websocket-version'] !== '13') throw badRequest('only version 13 of WebSocket is served');
  if (!/^[+/0-9A-Za-z]{22}==$/.test(key)) throw badRequest('Sec-WebSocket-Key: Invalid value');
}

export function acceptWebSocket(
  request: IncomingMessage,
  upgrade: Upgrade,
  subprotocol: string | undefined,
): WebSocket {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: MESSAGE_LIMIT_BYTES,
  });
  const { socket, head } = upgrade.handOver();
  // Kubernetes' name for the tunnel has a character that the library refuses in a name: it is told of none.
  delete request.headers['sec-websocket-protocol'];
  if (subprotocol !== undefined)
    server.on('headers', (lines) => void lines.push(`Sec-WebSocket-Protocol: ${subprotocol}`));
  let accepted: WebSocket | undefined;
  server.handleUpgrade(request, socket, head, (webSocket) => {
    accepted = webSocket;
  });
  if (!accepted) throw new Error('a request that was checked was not accepted');
  const webSocket = accepted;
  webSocket.on('error', () => {});
  // A client that is gone is noticed by writing to it, also while nothing is read from it.
  const pinging = setInterval(() => {
    if (webSocket.bufferedAmount === 0) webSocket.ping();
  }, PING_MS).unref();
  webSocket.on('close', () => clearInterval(pinging));
  return webSocket;
}

/** The bytes of its messages, one after the other. */
export const bytesOf = (webSocket: WebSocket): Duplex => createWebSocketStream(webSocket);
