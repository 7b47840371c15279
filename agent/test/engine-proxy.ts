// Stands between the agent and the real Docker engine on a socket of its own: passes everything on, writes down
// what was asked, and can break streams, refuse, delay, answer otherwise, or hold a request back.
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';

export const DOCKER_SOCKET = '/var/run/docker.sock';

/** What is done with a request: nothing special; answered without the engine or in its place, after it did what
 *  was asked; or never answered, before or after the engine did it. */
export type Verdict =
  | 'pass'
  | { readonly instead: Answer }
  | { readonly afterwards: Answer }
  | 'hang-before'
  | 'hang-after';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export interface EngineProxy {
  readonly socketPath: string;
  /** `POST /containers/create?name=web`, in the order they came. */
  readonly requests: readonly string[];
  /** Of all answers together, so far. */
  readonly passedBytes: () => number;
  /** Asked for every request. */
  readonly judge: (judge: (line: string) => Verdict) => void;
  /** Called when a request was held back by 'hang-before' or 'hang-after'. */
  readonly onHang: (call: (line: string) => void) => void;
  /** Breaks off the streams that are open now. */
  readonly cutStreams: () => void;
  readonly close: () => Promise<void>;
}

/** `rename`: text that is replaced in every path and body on the way to the engine. */
export async function startEngineProxy(
  socketPath: string,
  rename: { readonly from: string; readonly to: string } = { from: '', to: '' },
): Promise<EngineProxy> {
  const requests: string[] = [];
  const streams = new Set<Socket | ServerResponse>();
  let verdictOf: (line: string) => Verdict = () => 'pass';
  let onHang: (line: string) => void = () => {};
  let passedBytes = 0;
  const renamed = (text: string) =>
    rename.from === ''
      ? text
      : text
          .replaceAll(rename.from, rename.to)
          .replaceAll(encodeURIComponent(rename.from), encodeURIComponent(rename.to));

  const serve = async (incoming: IncomingMessage, response: ServerResponse) => {
    const line = `${incoming.method} ${incoming.url}`;
    requests.push(line);
    const verdict = verdictOf(line);
    const archive = incoming.headers['content-type'] === 'application/tar';
    const received = await bodyOf(incoming);
    const body = archive ? received : Buffer.from(renamed(received.toString('utf8')));
    if (verdict === 'hang-before') return onHang(line);
    if (typeof verdict === 'object' && 'instead' in verdict) return answerWith(response, verdict.instead);
    const { 'transfer-encoding': _chunked, ...headers } = incoming.headers;
    const passed = request({
      socketPath: DOCKER_SOCKET,
      method: incoming.method ?? 'GET',
      path: renamed(incoming.url ?? '/'),
      headers: { ...headers, 'content-length': String(body.length) },
    });
    // The agent gave up: so does the engine's client.
    response.on('close', () => passed.destroy());
    passed.on('error', () => response.destroy());
    passed.end(body);
    const [answer] = (await once(passed, 'response')) as [IncomingMessage];
    if (verdict === 'hang-after') {
      answer.resume();
      await once(answer, 'end');
      return onHang(line);
    }
    if (typeof verdict === 'object') {
      answer.resume();
      return answerWith(response, verdict.afterwards);
    }
    streams.add(response);
    response.on('close', () => streams.delete(response));
    response.writeHead(answer.statusCode ?? 0, answer.headers);
    response.flushHeaders();
    answer.on('data', (piece: Buffer) => {
      passedBytes += piece.length;
    });
    answer.pipe(response);
  };

  const server = createServer((incoming, response) => {
    serve(incoming, response).catch(() => response.destroy());
  });
  // An exec takes the connection over.
  server.on('upgrade', (incoming, socket: Socket, head) => {
    requests.push(`${incoming.method} ${incoming.url}`);
    const engine = connect(DOCKER_SOCKET);
    const headers = Object.entries(incoming.headers).map(([name, value]) => `${name}: ${value}`);
    engine.write(`${[`${incoming.method} ${incoming.url} HTTP/1.1`, ...headers].join('\r\n')}\r\n\r\n`);
    engine.write(head);
    engine.pipe(socket).pipe(engine);
    engine.on('error', () => socket.destroy());
    socket.on('error', () => engine.destroy());
    streams.add(socket);
    socket.on('close', () => streams.delete(socket));
  });
  server.listen(socketPath);
  await once(server, 'listening');
  return {
    socketPath,
    requests,
    passedBytes: () => passedBytes,
    judge: (judge) => {
      verdictOf = judge;
    },
    onHang: (call) => {
      onHang = call;
    },
    cutStreams: () => {
      for (const stream of streams) stream.destroy();
    },
    close: async () => {
      server.close();
      server.closeAllConnections();
      for (const stream of streams) stream.destroy();
    },
  };
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of message) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

function answerWith(response: ServerResponse, { status, body }: Answer): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(body);
}
