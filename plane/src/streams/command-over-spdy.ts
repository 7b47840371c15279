// exec and attach as kubectl speaks them up to 1.29, and later ones when a WebSocket is refused: a SPDY stream for each
// of stdin, stdout, stderr, the errors, and the size of the terminal.
import type { Duplex } from 'node:stream';
import type { TerminalSize } from '@fleetset/proto/gen/fleetset/v1/node';
import { type CommandClient, createSizeReader, type StreamsAsked } from './command-client.ts';
import { type SpdyStream, serveSpdy } from './spdy-session.ts';

const STREAMS_TIMEOUT_MS = 30_000;

const namesOf = ({ stdin, stdout, stderr, tty }: StreamsAsked): string[] => [
  'error',
  ...(stdin ? ['stdin'] : []),
  ...(stdout ? ['stdout'] : []),
  ...(stderr ? ['stderr'] : []),
  ...(tty ? ['resize'] : []),
];

/** Undefined when the client does not open what it asked for. */
export async function commandOverSpdy(
  connection: Duplex,
  asked: StreamsAsked,
): Promise<CommandClient | undefined> {
  const wanted = namesOf(asked);
  const streams = new Map<string, SpdyStream>();
  const { promise: complete, resolve } = Promise.withResolvers<boolean>();
  const session = serveSpdy(connection, {
    maxStreams: 16,
    onStream: (stream) => {
      const name = stream.headers.get('streamtype') ?? '';
      if (!wanted.includes(name) || streams.has(name)) return stream.reset();
      streams.set(name, stream);
      if (streams.size === wanted.length) resolve(true);
    },
  });
  const late = setTimeout(resolve, STREAMS_TIMEOUT_MS, false);
  session.gone.addEventListener('abort', () => resolve(false));
  const all = await complete;
  clearTimeout(late);
  if (!all) {
    await session.close();
    return undefined;
  }
  return {
    stdin: streams.get('stdin')?.data ?? nothing(),
    onResize: (resize) => void readSizes(streams.get('resize'), resize),
    write: async (name, data) => streams.get(name)?.write(data),
    finish: async (status) => {
      streams.get('stdout')?.end();
      streams.get('stderr')?.end();
      const errors = streams.get('error');
      await errors?.write(Buffer.from(JSON.stringify(status)));
      errors?.end();
      await session.close();
    },
    gone: session.gone,
  };
}

async function* nothing(): AsyncIterable<Uint8Array> {}

async function readSizes(
  stream: SpdyStream | undefined,
  resize: (size: TerminalSize) => void,
): Promise<void> {
  const read = createSizeReader(resize);
  try {
    for await (const data of stream?.data ?? nothing()) read(data);
  } catch {
    // The client has left.
  }
}
