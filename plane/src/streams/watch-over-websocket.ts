// The events of a watch as messages of a WebSocket, one each, for clients that can read no answer as it comes.
import { Writable } from 'node:stream';
import type { WebSocket } from 'ws';

const NORMAL_CLOSURE = 1000;

export function messagesTo(webSocket: WebSocket): Writable {
  const messages = new Writable({
    write: (event: Buffer, _encoding, done) => webSocket.send(event, { binary: false }, () => done()),
    final: (done) => {
      webSocket.close(NORMAL_CLOSURE);
      done();
    },
    destroy: (error, done) => {
      // One that was to be closed in peace has its time for that.
      if (webSocket.readyState === webSocket.OPEN) webSocket.terminate();
      done(error);
    },
  });
  webSocket.on('close', () => messages.destroy());
  return messages;
}
