// The serving end of a SPDY/3.1 connection as Kubernetes' clients speak it: they open streams, both sides write, either
// side ends its half. Go's clients keep no windows, so the connection's own pace is all the back-pressure there is: one
// stream that nobody reads holds the others of its connection back, and nothing beyond it.
import type { Duplex } from 'node:stream';
import { type ByteQueue, createByteQueue } from '@fleetset/proto/byte-queue';
import { piecesOf } from '@fleetset/proto/tunnel-window';
import {
  createFrameParser,
  dataFrame,
  goAwayFrame,
  pingFrame,
  RESET,
  replyFrame,
  resetFrame,
  SpdyError,
  type SpdyFrame,
} from './spdy-frames.ts';
import { createHeaderCodec, type SpdyHeaders } from './spdy-headers.ts';
import { createWriter } from './writer.ts';

export interface SpdyStream {
  readonly headers: SpdyHeaders;
  /** Up to where the client ended its half; fails when the client is gone or has reset the stream. */
  readonly data: AsyncIterable<Uint8Array>;
  /** Resolves when more may be written. What nobody reads any more is dropped. */
  readonly write: (data: Uint8Array) => Promise<void>;
  /** Ends this half. */
  readonly end: () => void;
  readonly reset: () => void;
}

export interface SpdySession {
  /** The client is gone, or was sent away. */
  readonly gone: AbortSignal;
  /** What was written arrives first; then the client has that long to leave by itself. */
  readonly close: (lingerMs?: number) => Promise<void>;
}

export interface SpdyOptions {
  /** Open at once. */
  readonly maxStreams: number;
  readonly onStream: (stream: SpdyStream) => void;
}

/** What waits for the reader of one stream before the connection is read no further. */
const WAITING_LIMIT_BYTES = 256 * 1024;
/** A client that is gone is noticed by writing to it, also while nothing is read from it. */
const PING_MS = 5000;
const LINGER_MS = 10_000;

interface Held {
  readonly input: ByteQueue;
  inputEnded: boolean;
  outputEnded: boolean;
}

export function serveSpdy(connection: Duplex, { maxStreams, onStream }: SpdyOptions): SpdySession {
  const write = createWriter(connection);
  const codec = createHeaderCodec();
  const parser = createFrameParser();
  const streams = new Map<number, Held>();
  const gone = new AbortController();
  let lastId = 0;
  let pingId = 0;
  let room = () => {};

  const forget = (id: number, held: Held) => {
    if (held.inputEnded && held.outputEnded) streams.delete(id);
  };
  const drop = (id: number, why: string) => {
    const held = streams.get(id);
    streams.delete(id);
    held?.input.fail(new SpdyError(why));
    room();
  };
  const send = async (id: number, data: Uint8Array) => {
    for (const piece of piecesOf(data)) {
      if (streams.get(id)?.outputEnded !== false) return;
      await write(dataFrame(id, piece));
    }
  };
  const endOutput = (id: number) => {
    const held = streams.get(id);
    if (!held || held.outputEnded) return;
    held.outputEnded = true;
    void write(dataFrame(id, Buffer.alloc(0), true));
    forget(id, held);
  };

  const open = async ({ streamId, end, block }: Extract<SpdyFrame, { kind: 'open' }>) => {
    const headers = await codec.decode(block);
    if (streamId % 2 === 0 || streamId <= lastId) throw new SpdyError(`stream ${streamId} is out of order`);
    lastId = streamId;
    if (streams.size >= maxStreams) return write(resetFrame(streamId, RESET.refused));
    const input = createByteQueue(() => room());
    const held: Held = { input, inputEnded: end, outputEnded: false };
    if (end) input.end();
    streams.set(streamId, held);
    await write(replyFrame(streamId, await codec.encode(new Map())));
    onStream({
      headers,
      data: input,
      write: (data) => send(streamId, data),
      end: () => endOutput(streamId),
      reset: () => {
        if (!streams.has(streamId)) return;
        drop(streamId, 'reset');
        void write(resetFrame(streamId, RESET.cancel));
      },
    });
  };

  const takeData = async ({ streamId, end, data }: Extract<SpdyFrame, { kind: 'data' }>) => {
    const held = streams.get(streamId);
    // Of a stream that was reset a moment ago.
    if (!held || held.inputEnded) return;
    held.input.push(data);
    if (end) {
      held.inputEnded = true;
      held.input.end();
      forget(streamId, held);
    }
    while (held.input.waiting() > WAITING_LIMIT_BYTES && streams.get(streamId) === held)
      await new Promise<void>((resolve) => {
        room = resolve;
      });
  };

  const take = (frame: SpdyFrame): Promise<unknown> | undefined => {
    switch (frame.kind) {
      case 'open':
        return open(frame);
      case 'data':
        return takeData(frame);
      case 'headers':
      case 'reply':
        // Not for us, but the next block builds on it.
        return codec.decode(frame.block);
      case 'ping':
        // Odd ones are the client's own; the others answer ours.
        return frame.id % 2 === 1 ? write(pingFrame(frame.id)) : undefined;
      case 'reset':
        drop(frame.streamId, 'the client reset the stream');
        return undefined;
      case 'goAway':
      case 'other':
        return undefined;
    }
  };

  const read = async () => {
    for await (const chunk of connection.iterator({ destroyOnReturn: false }))
      for (const frame of parser.push(chunk as Buffer)) await take(frame);
  };

  const leave = () => {
    if (gone.signal.aborted) return;
    clearInterval(pinging);
    gone.abort();
    for (const id of [...streams.keys()]) drop(id, 'the client has left');
    codec.close();
    connection.end();
    if (connection.destroyed) return;
    // Reading on, so that what was written is not cut off by a connection reset.
    connection.resume();
    const late = setTimeout(() => connection.destroy(), LINGER_MS).unref();
    // All that was of this client hangs on the timer.
    connection.once('close', () => clearTimeout(late));
  };
  const pinging = setInterval(() => {
    pingId += 2;
    if (connection.writableLength === 0) void write(pingFrame(pingId));
  }, PING_MS).unref();
  connection.on('error', () => {});
  connection.on('close', leave);
  read()
    .catch((error: unknown) => {
      if (error instanceof SpdyError) void write(goAwayFrame(lastId, RESET.protocolError));
    })
    .finally(leave);

  return {
    gone: gone.signal,
    close: async (lingerMs = LINGER_MS) => {
      if (gone.signal.aborted) return;
      void write(goAwayFrame(lastId));
      await new Promise<void>((resolve) => {
        const late = setTimeout(resolve, lingerMs);
        gone.signal.addEventListener('abort', () => {
          clearTimeout(late);
          resolve();
        });
      });
      leave();
    },
  };
}
