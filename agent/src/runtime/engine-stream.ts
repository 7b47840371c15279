// What the engine streams: lines of JSON, the progress of a pull or an import in them, and the pieces of a log.
import { StringDecoder } from 'node:string_decoder';

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

export async function* plainBytes(source: NodeJS.ReadableStream): AsyncIterable<Uint8Array> {
  for await (const chunk of source) yield chunk as Buffer;
}

const FRAME_HEADER = 8;

/** Docker puts eight bytes before each piece: the stream's number and the length. */
export async function* withoutFrames(source: NodeJS.ReadableStream): AsyncIterable<Uint8Array> {
  let header = Buffer.alloc(0);
  let left = 0;
  for await (const piece of source) {
    let chunk = piece as Buffer;
    while (chunk.length > 0) {
      if (left === 0) {
        const wanted = FRAME_HEADER - header.length;
        header = Buffer.concat([header, chunk.subarray(0, wanted)]);
        chunk = chunk.subarray(wanted);
        if (header.length < FRAME_HEADER) break;
        left = header.readUInt32BE(4);
        header = Buffer.alloc(0);
        continue;
      }
      const payload = chunk.subarray(0, left);
      left -= payload.length;
      chunk = chunk.subarray(payload.length);
      yield payload;
    }
  }
}
