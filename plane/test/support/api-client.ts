// A client of the API as kubectl is one: real HTTPS, a client certificate, JSON.
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { until, within } from './until.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers are looked into and compared, field by field
export type Json = any;

export interface Credentials {
  readonly ca: string;
  readonly key?: string;
  readonly cert?: string;
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly bytes: Buffer;
  /** Undefined when the text is no JSON. */
  readonly json: Json;
}

export interface CallOptions {
  readonly headers?: { readonly [name: string]: string };
  /** Content-Type; application/json when there is a body. */
  readonly type?: string;
}

export interface WatchEvent {
  readonly type: string;
  readonly object: Json;
}

export interface WatchStream {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly events: WatchEvent[];
  /** The first event not taken yet that fits; those before it are taken too. */
  readonly next: (what: string, fits?: (event: WatchEvent) => boolean) => Promise<WatchEvent>;
  readonly ended: () => boolean;
  readonly untilEnd: () => Promise<void>;
  /** It was ended by the plane in the way an answer ends, and not cut. */
  readonly whole: () => boolean;
  readonly pause: () => void;
  readonly resume: () => void;
  readonly close: () => void;
}

export interface ApiClient {
  readonly call: (method: string, path: string, body?: unknown, options?: CallOptions) => Promise<Reply>;
  /** As `call`, and the answer must be a success. */
  readonly ok: (method: string, path: string, body?: unknown, options?: CallOptions) => Promise<Json>;
  /** A watch whose headers have come. */
  readonly watch: (path: string, options?: CallOptions) => Promise<WatchStream>;
  /** The answer as it streams in; nothing is read until the caller reads. */
  readonly stream: (path: string) => Promise<IncomingMessage>;
  /** Leaves connections that nothing is asked on: their server has closed them, which is not heard of at once. */
  readonly leaveIdle: () => void;
  /** Breaks every connection. */
  readonly drop: () => void;
  readonly close: () => void;
}

export const TABLE =
  'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json';
export const STRATEGIC = 'application/strategic-merge-patch+json';
export const MERGE = 'application/merge-patch+json';
export const JSON_PATCH = 'application/json-patch+json';
export const APPLY = 'application/apply-patch+yaml';

export function createApiClient(port: () => number, credentials: Credentials): ApiClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 50 });
  const open = new Set<ClientRequest>();

  const send = (method: string, path: string, body: unknown, options: CallOptions, ownSocket: boolean) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const payload = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
      const outgoing = request({
        ...credentials,
        host: '127.0.0.1',
        port: port(),
        method,
        path,
        agent: ownSocket ? new Agent() : agent,
        headers: {
          ...(payload === undefined
            ? {}
            : {
                'Content-Type': options.type ?? 'application/json',
                'Content-Length': Buffer.byteLength(payload as string),
              }),
          ...options.headers,
        },
      });
      open.add(outgoing);
      outgoing.on('close', () => open.delete(outgoing));
      outgoing.on('error', reject);
      outgoing.on('response', resolve);
      outgoing.end(payload);
    });

  const call: ApiClient['call'] = async (method, path, body, options = {}) => {
    const response = await within(`${method} ${path}`, send(method, path, body, options, false));
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    const text = bytes.toString('utf8');
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      text,
      bytes,
      json: parsed(text),
    };
  };

  return {
    call,
    ok: async (method, path, body, options) => {
      const reply = await call(method, path, body, options);
      if (reply.status >= 300) throw new Error(`${method} ${path}: ${reply.status} ${reply.text}`);
      return reply.json;
    },
    watch: async (path, options = {}) =>
      watchStream(await within(`headers of ${path}`, send('GET', path, undefined, options, true))),
    stream: (path) => within(`headers of ${path}`, send('GET', path, undefined, {}, true)),
    leaveIdle: () => {
      for (const sockets of Object.values(agent.freeSockets))
        for (const socket of sockets ?? []) socket.destroy();
    },
    drop: () => {
      for (const outgoing of open) outgoing.destroy();
    },
    close: () => agent.destroy(),
  };
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function watchStream(response: IncomingMessage): WatchStream {
  const events: WatchEvent[] = [];
  let rest = '';
  let over = false;
  let taken = 0;
  response.setEncoding('utf8');
  response.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') events.push(JSON.parse(line) as WatchEvent);
  });
  const end = () => {
    over = true;
  };
  response.on('end', end);
  response.on('close', end);
  response.on('error', end);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    events,
    next: (what, fits = () => true) =>
      until(`event: ${what}`, () => {
        for (; taken < events.length; taken++) {
          const event = events[taken] as WatchEvent;
          if (!fits(event)) continue;
          taken += 1;
          return event;
        }
        return undefined;
      }),
    ended: () => over,
    untilEnd: async () => void (await until('the watch ends', () => over)),
    whole: () => response.complete,
    pause: () => void response.pause(),
    resume: () => void response.resume(),
    close: () => response.destroy(),
  };
}
