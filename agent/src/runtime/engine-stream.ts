// What the engine streams: lines of JSON, the progress of a pull or an import in them, and the pieces of a log.
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { TerminalOutput } from './terminal.ts';

export async function* linesOf(stream: NodeJS.ReadableStream): AsyncIterable<string> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + decoder.write(chunk as Buffer)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') yield line;
  }
  if (rest.trim() !== '') yield rest;
}

interface ProgressLine {
  readonly error?: string;
  readonly errorDetail?: { readonly message?: string };
}

/** Resolves when it is done. What goes wrong on the way is told in a line of it, after the status that says 200. */
export async function followProgress(
  stream: NodeJS.ReadableStream,
  onProgress: () => void = () => {},
): Promise<void> {
  for await (const line of linesOf(stream)) {
    onProgress();
    const { error, errorDetail } = JSON.parse(line) as ProgressLine;
    const failure = errorDetail?.message ?? error;
    if (failure !== undefined) throw new Error(failure);
  }
}

const STDERR = 2;

/** What a container or a command writes: with a terminal as it is, without one in Docker's frames. */
export async function* outputOf(source: Readable, tty: boolean): AsyncIterable<TerminalOutput> {
  // The other direction may go on after the end of this one.
  const chunks: AsyncIterable<Buffer> = source.iterator({ destroyOnReturn: false });
  if (tty) for await (const data of chunks) yield { stderr: false, data };
  else yield* unframed(chunks);
}

/** A log, both streams in one. */
export async function* logBytes(source: NodeJS.ReadableStream, tty: boolean): AsyncIterable<Uint8Array> {
  if (tty) for await (const chunk of source) yield chunk as Buffer;
  else for await (const { data } of unframed(source as AsyncIterable<Buffer>)) yield data;
}

const FRAME_HEADER = 8;

/** Docker puts eight bytes before each piece: the stream's number and the length. */
async function* unframed(source: AsyncIterable<Buffer>): AsyncIterable<TerminalOutput> {
  let header = Buffer.alloc(0);
  let left = 0;
  let stderr = false;
  for await (const piece of source) {
    let chunk = piece;
    while (chunk.length > 0) {
      if (left === 0) {
        const wanted = FRAME_HEADER - header.length;
        header = Buffer.concat([header, chunk.subarray(0, wanted)]);
        chunk = chunk.subarray(wanted);
        if (header.length < FRAME_HEADER) break;
        stderr = header[0] === STDERR;
        left = header.readUInt32BE(4);
        header = Buffer.alloc(0);
        continue;
      }
      const data = chunk.subarray(0, left);
      left -= data.length;
      chunk = chunk.subarray(data.length);
      yield { stderr, data };
    }
  }
}
