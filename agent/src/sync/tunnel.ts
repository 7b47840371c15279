// The agent's end of one request: what the plane sends is taken in at once and waits for whoever needs it, what the
// agent sends goes at the plane's pace.
import { type ByteQueue, createByteQueue } from '@fleetset/proto/byte-queue';
import type { CarryRequest, TerminalSize } from '@fleetset/proto/gen/fleetset/v1/node';
import { piecesOf, TUNNEL_WINDOW_BYTES } from '@fleetset/proto/tunnel-window';
import type { PlaneClient } from './plane-client.ts';

export type TunnelFrame = NonNullable<CarryRequest['frame']>;

export interface Tunnel {
  readonly answer: (code: number, message?: string) => void;
  /** Resolves when the next may come. */
  readonly send: (frame: TunnelFrame) => Promise<void>;
  /** In pieces that fit into messages. */
  readonly sendData: (kind: 'data' | 'errorData', data: Uint8Array) => Promise<void>;
  /** What the client sends, up to its end. Reading on says that the piece before is passed on. */
  readonly input: ByteQueue;
  /** The client is there; false when it has left instead. */
  readonly begun: Promise<boolean>;
  /** The newest size of the client's terminal, now and whenever it changes. */
  readonly onResize: (resize: (size: TerminalSize) => void) => void;
  /** Nobody asks any more. */
  readonly signal: AbortSignal;
  readonly end: () => void;
}

export function openTunnel(client: PlaneClient, tunnelId: string, stopping: AbortSignal): Tunnel {
  const stream = client.carry();
  const closed = new AbortController();
  const signal = AbortSignal.any([stopping, closed.signal]);
  const { promise: begun, resolve: begin } = Promise.withResolvers<boolean>();
  let size: TerminalSize | undefined;
  let resize = (_size: TerminalSize): void => {};

  const input = createByteQueue((taken) => {
    if (!closed.signal.aborted) stream.write({ frame: { $case: 'taken', value: taken } });
  });
  signal.addEventListener('abort', () => {
    begin(false);
    input.fail(new Error('the client has left'));
  });
  stream.on('error', () => closed.abort());
  stream.on('end', () => closed.abort());
  stream.on('close', () => closed.abort());
  stream.on('data', ({ frame }) => {
    switch (frame?.$case) {
      case 'begin':
        return begin(true);
      case 'data':
        input.push(frame.value);
        // More than was allowed: it would fill the memory.
        if (input.waiting() > TUNNEL_WINDOW_BYTES) stream.cancel();
        return;
      case 'dataEnd':
        return input.end();
      case 'resize':
        size = frame.value;
        return resize(frame.value);
    }
  });
  stream.write({ frame: { $case: 'tunnelId', value: tunnelId } });

  const send = (frame: TunnelFrame): Promise<void> =>
    stream.write({ frame }) || signal.aborted
      ? Promise.resolve()
      : new Promise((resolve) => {
          const go = () => {
            stream.off('drain', go);
            signal.removeEventListener('abort', go);
            resolve();
          };
          stream.once('drain', go);
          signal.addEventListener('abort', go, { once: true });
        });
  return {
    answer: (code, message = '') =>
      void stream.write({ frame: { $case: 'answer', value: { code, message } } }),
    send,
    sendData: async (kind, data) => {
      for (const value of piecesOf(data)) {
        if (signal.aborted) return;
        await send({ $case: kind, value });
      }
    },
    input,
    begun,
    onResize: (callback) => {
      resize = callback;
      if (size) callback(size);
    },
    signal,
    end: () => void stream.end(),
  };
}
