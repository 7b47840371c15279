// exec and attach as kubectl speaks them from 1.30 on, and other clients always did: one WebSocket whose messages begin
// with the number of their channel.
import { createByteQueue } from '@fleetset/proto/byte-queue';
import type { TerminalSize } from '@fleetset/proto/gen/fleetset/v1/node';
import { piecesOf } from '@fleetset/proto/tunnel-window';
import type { RawData, WebSocket } from 'ws';
import { type CommandClient, createSizeReader, type StreamsAsked } from './command-client.ts';

const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;
const WAITING_LIMIT_BYTES = 256 * 1024;
const LINGER_MS = 10_000;
const NORMAL_CLOSURE = 1000;

export function commandOverWebSocket(
  webSocket: WebSocket,
  subprotocol: string,
  { stdin: wantsStdin }: StreamsAsked,
): CommandClient {
  const gone = new AbortController();
  const stdin = createByteQueue(() => {
    if (stdin.waiting() <= WAITING_LIMIT_BYTES && webSocket.isPaused) webSocket.resume();
  });
  let size: TerminalSize | undefined;
  let resize = (_size: TerminalSize): void => {};
  const readSize = createSizeReader((read) => {
    size = read;
    resize(read);
  });

  webSocket.on('message', (message: RawData) => {
    const data = message as Buffer;
    const payload = data.subarray(1);
    switch (data[0]) {
      case CHANNEL.stdin:
        if (!wantsStdin) return;
        stdin.push(payload);
        if (stdin.waiting() > WAITING_LIMIT_BYTES) webSocket.pause();
        return;
      case CHANNEL.resize:
        return readSize(payload);
      case CHANNEL.close:
        if (subprotocol === 'v5.channel.k8s.io' && payload[0] === CHANNEL.stdin) stdin.end();
    }
  });
  webSocket.on('close', () => {
    stdin.fail(new Error('the client has left'));
    gone.abort();
  });

  const send = (channel: number, data: Uint8Array): Promise<void> =>
    new Promise((resolve) => {
      webSocket.send(Buffer.concat([Buffer.of(channel), data]), () => resolve());
    });
  return {
    stdin,
    onResize: (callback) => {
      resize = callback;
      if (size) callback(size);
    },
    write: async (name, data) => {
      for (const piece of piecesOf(data)) await send(CHANNEL[name], piece);
    },
    finish: async (status) => {
      await send(CHANNEL.error, Buffer.from(JSON.stringify(status)));
      // What it still sends is not wanted, only its goodbye.
      webSocket.resume();
      webSocket.close(NORMAL_CLOSURE);
      const late = setTimeout(() => webSocket.terminate(), LINGER_MS);
      if (webSocket.readyState !== webSocket.CLOSED)
        await new Promise((resolve) => gone.signal.addEventListener('abort', resolve));
      clearTimeout(late);
    },
    gone: gone.signal,
  };
}
