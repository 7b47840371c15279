// Clients that ask for another protocol: SPDY/3.1 as older kubectl does, WebSocket as newer, and what each is answered.
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocket } from 'ws';
import type { Credentials, Json } from './api-client.ts';
import { type ClientStream, createSpdyClient, type SpdyClient } from './spdy-client.ts';
import type { TestPlane } from './test-plane.ts';
import { until, within } from './until.ts';

export interface Refusal {
  readonly status: number;
  readonly json: Json;
}

type Asker = Pick<TestPlane, 'apiPort'> & { readonly admin: Credentials };

/** The connection, or how it was refused. */
export function upgrade(
  plane: Asker,
  path: string,
  headers: { readonly [name: string]: string },
  method = 'POST',
): Promise<{ readonly socket: Duplex; readonly response: IncomingMessage } | Refusal> {
  return within(
    `an answer to ${path}`,
    new Promise((resolve, reject) => {
      const asking = request({
        ...plane.admin,
        host: '127.0.0.1',
        port: plane.apiPort,
        method,
        path,
        headers: { Connection: 'Upgrade', ...headers },
        agent: false,
      });
      asking.on('error', reject);
      asking.on('upgrade', (response, socket, head) => {
        if (head.length > 0) socket.unshift(head);
        resolve({ socket, response });
      });
      asking.on('response', async (response) => {
        let text = '';
        for await (const chunk of response) text += chunk;
        resolve({ status: response.statusCode ?? 0, json: text === '' ? undefined : JSON.parse(text) });
      });
      asking.end();
    }),
  );
}

export async function spdyTo(
  plane: Asker,
  path: string,
  protocols = 'v4.channel.k8s.io, v3.channel.k8s.io',
): Promise<SpdyClient> {
  const answer = await upgrade(plane, path, {
    Upgrade: 'SPDY/3.1',
    'X-Stream-Protocol-Version': protocols,
  });
  if (!('socket' in answer)) throw new Error(`refused: ${JSON.stringify(answer)}`);
  return createSpdyClient(answer.socket);
}

export function webSocketTo(plane: Asker, path: string, protocol: string): Promise<WebSocket> {
  const socket = new WebSocket(`wss://127.0.0.1:${plane.apiPort}${path}`, protocol, { ...plane.admin });
  return within(
    `a WebSocket to ${path}`,
    new Promise((resolve, reject) => {
      socket.on('open', () => resolve(socket));
      socket.on('error', reject);
    }),
  );
}

/** SPDY in a WebSocket. kubectl's name for it is one that the library would not send: it is put in by hand. */
export async function tunnelledSpdyTo(plane: Asker, path: string): Promise<SpdyClient> {
  const socket = new WebSocket(`wss://127.0.0.1:${plane.apiPort}${path}`, {
    ...plane.admin,
    headers: { 'Sec-WebSocket-Protocol': 'SPDY/3.1+portforward.k8s.io' },
    // What the server answers is checked by hand too.
    skipUTF8Validation: true,
  });
  let chosen: string | undefined;
  socket.on('upgrade', (response) => {
    chosen = response.headers['sec-websocket-protocol'];
    // It was not asked by the library.
    delete response.headers['sec-websocket-protocol'];
  });
  const stream = createWebSocketStream(socket);
  await until('the WebSocket is open', () => socket.readyState === WebSocket.OPEN);
  if (chosen !== 'SPDY/3.1+portforward.k8s.io') throw new Error(`answered ${chosen}`);
  return createSpdyClient(stream);
}

/** A client in a container, whatever it speaks. */
export interface TerminalClient {
  readonly send: (data: Uint8Array | string) => void;
  /** Undefined where the protocol has no way to say it. */
  readonly endInput: (() => void) | undefined;
  readonly resize: (width: number, height: number) => void;
  readonly stdout: () => Buffer;
  readonly stderr: () => string;
  /** Of how it ended, once it has. */
  readonly status: () => Promise<Json>;
  readonly pause: () => void;
  readonly resume: () => void;
  readonly drop: () => void;
}

export type Transport = 'SPDY' | 'v5.channel.k8s.io' | 'v4.channel.k8s.io';

export const openTerminal = (plane: Asker, path: string, transport: Transport): Promise<TerminalClient> =>
  transport === 'SPDY' ? spdyTerminal(plane, path) : webSocketTerminal(plane, path, transport);

async function spdyTerminal(plane: Asker, path: string): Promise<TerminalClient> {
  const client = await spdyTo(plane, path);
  const query = new URL(path, 'https://plane').searchParams;
  const wanted = ['error', ...['stdin', 'stdout', 'stderr'].filter((name) => query.get(name) === 'true')];
  if (query.get('tty') === 'true') wanted.push('resize');
  const streams = new Map<string, ClientStream>();
  for (const streamtype of wanted) streams.set(streamtype, await client.open({ streamtype }));
  const of = (name: string) => streams.get(name) as ClientStream;
  return {
    send: (data) => of('stdin').send(data),
    endInput: () => of('stdin').end(),
    resize: (Width, Height) => of('resize').send(`${JSON.stringify({ Width, Height })}\n`),
    stdout: () => of('stdout').bytes(),
    stderr: () => of('stderr').text(),
    status: async () => {
      await until('the status', () => of('error').ended());
      client.drop();
      return JSON.parse(of('error').text());
    },
    pause: () => void client.connection.pause(),
    resume: () => void client.connection.resume(),
    drop: client.drop,
  };
}

async function webSocketTerminal(plane: Asker, path: string, protocol: string): Promise<TerminalClient> {
  const socket = await webSocketTo(plane, path, protocol);
  if (socket.protocol !== protocol) throw new Error(`answered ${socket.protocol}`);
  const channels = new Map<number, Buffer[]>();
  let code: number | undefined;
  socket.on('message', (data: Buffer) => {
    const channel = data[0] ?? -1;
    channels.set(channel, [...(channels.get(channel) ?? []), data.subarray(1)]);
  });
  socket.on('close', (closed) => {
    code = closed;
  });
  const say = (channel: number, data: Uint8Array | string) =>
    socket.send(Buffer.concat([Buffer.of(channel), Buffer.from(data as Uint8Array)]));
  const heard = (channel: number) => Buffer.concat(channels.get(channel) ?? []);
  return {
    send: (data) => say(0, data),
    endInput: protocol === 'v5.channel.k8s.io' ? () => say(255, Buffer.of(0)) : undefined,
    resize: (Width, Height) => say(4, JSON.stringify({ Width, Height })),
    stdout: () => heard(1),
    stderr: () => heard(2).toString(),
    status: async () => {
      await until('the end', () => code === 1000);
      return JSON.parse(heard(3).toString());
    },
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    drop: () => socket.terminate(),
  };
}
