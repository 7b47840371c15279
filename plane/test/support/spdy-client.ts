// The client's end of a SPDY/3.1 connection, as kubectl has it, on any byte stream.
import type { Duplex } from 'node:stream';
import {
  createFrameParser,
  dataFrame,
  openFrame,
  pingFrame,
  resetFrame,
} from '../../src/streams/spdy-frames.ts';
import { createHeaderCodec } from '../../src/streams/spdy-headers.ts';
import { until } from './until.ts';

export interface ClientStream {
  readonly id: number;
  readonly bytes: () => Buffer;
  readonly text: () => string;
  readonly ended: () => boolean;
  readonly wasReset: () => boolean;
  readonly send: (data: Uint8Array | string, end?: boolean) => void;
  readonly end: () => void;
  readonly reset: () => void;
}

export interface SpdyClient {
  /** Resolves when it is replied to, or reset. */
  readonly open: (headers: { readonly [name: string]: string }) => Promise<ClientStream>;
  readonly ping: (id: number) => Promise<void>;
  readonly write: (bytes: Buffer) => void;
  readonly saidGoodbye: () => boolean;
  readonly closed: () => boolean;
  /** Gone at once. */
  readonly drop: () => void;
  readonly connection: Duplex;
}

export function createSpdyClient(connection: Duplex): SpdyClient {
  const codec = createHeaderCodec();
  const parser = createFrameParser();
  const streams = new Map<number, { pieces: Buffer[]; ended: boolean; reset: boolean; replied: boolean }>();
  const pings = new Set<number>();
  let nextId = 1;
  let goodbye = false;
  let closed = false;
  const close = () => {
    closed = true;
  };
  connection.on('error', close);
  connection.on('close', close);
  connection.on('end', close);
  connection.on('data', (chunk: Buffer) => {
    for (const frame of parser.push(chunk)) {
      if (frame.kind === 'ping') pings.add(frame.id);
      if (frame.kind === 'goAway') goodbye = true;
      const held = 'streamId' in frame ? streams.get(frame.streamId) : undefined;
      if (!held) continue;
      if (frame.kind === 'reply') held.replied = true;
      if (frame.kind === 'reset') held.reset = true;
      if (frame.kind === 'data') {
        held.pieces.push(frame.data);
        held.ended ||= frame.end;
      }
    }
  });
  const write = (bytes: Buffer) => void connection.write(bytes);
  return {
    open: async (headers) => {
      const id = nextId;
      nextId += 2;
      const held = { pieces: [] as Buffer[], ended: false, reset: false, replied: false };
      streams.set(id, held);
      write(openFrame(id, await codec.encode(new Map(Object.entries(headers)))));
      await until(`stream ${id} is replied to`, () => held.replied || held.reset);
      return {
        id,
        bytes: () => Buffer.concat(held.pieces),
        text: () => Buffer.concat(held.pieces).toString('utf8'),
        ended: () => held.ended,
        wasReset: () => held.reset,
        send: (data, end = false) => write(dataFrame(id, Buffer.from(data as Uint8Array), end)),
        end: () => write(dataFrame(id, Buffer.alloc(0), true)),
        reset: () => write(resetFrame(id, 5)),
      };
    },
    ping: async (id) => {
      write(pingFrame(id));
      await until(`ping ${id} is answered`, () => pings.has(id));
    },
    write,
    saidGoodbye: () => goodbye,
    closed: () => closed,
    drop: () => void connection.destroy(),
    connection,
  };
}
