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

/** A log, both streams in one. `stamped`: each line begins with its time. */
export async function* logBytes(
  source: NodeJS.ReadableStream,
  tty: boolean,
  stamped: boolean,
): AsyncIterable<Uint8Array> {
  if (tty) {
    const chunks = source as AsyncIterable<Buffer>;
    yield* stamped ? stampedOncePlain(chunks) : chunks;
  } else {
    const pieces = unframed(source as AsyncIterable<Buffer>);
    for await (const { data } of stamped ? stampedOnce(pieces) : pieces) yield data;
  }
}

interface FramePiece extends TerminalOutput {
  /** The first of its frame. */
  readonly begins: boolean;
}

const BLANK = 0x20;
const LINE_FEED = 0x0a;

/** Docker keeps a line of more than 16 KiB in parts, each with a time: those within the line are taken out. */
async function* stampedOnce(pieces: AsyncIterable<FramePiece>): AsyncIterable<TerminalOutput> {
  /** By stream: its last line goes on. */
  const open = new Map<boolean, boolean>();
  let inStamp = false;
  for await (const { stderr, begins, data } of pieces) {
    if (begins) inStamp = open.get(stderr) ?? false;
    const end = inStamp ? data.indexOf(BLANK) : -1;
    if (inStamp && end < 0) continue;
    inStamp = false;
    const rest = data.subarray(end + 1);
    if (rest.length === 0) continue;
    open.set(stderr, rest[rest.length - 1] !== LINE_FEED);
    yield { stderr, data: rest };
  }
}

/** A part that is not a line's last is exactly so long. */
const PART_BYTES = 16_384;

/** The same of a terminal, where no frame says where a part begins. */
async function* stampedOncePlain(source: AsyncIterable<Buffer>): AsyncIterable<Uint8Array> {
  let inStamp: 'kept' | 'taken out' | undefined = 'kept';
  let partBytes = 0;
  for await (const chunk of source) {
    let at = 0;
    while (at < chunk.length) {
      const limit: number = inStamp ? chunk.length : at + PART_BYTES - partBytes;
      const end = chunk.subarray(at, limit).indexOf(inStamp ? BLANK : LINE_FEED);
      const piece = chunk.subarray(at, end < 0 ? limit : at + end + 1);
      at += piece.length;
      if (inStamp !== 'taken out') yield piece;
      partBytes = inStamp ? 0 : partBytes + piece.length;
      if (end >= 0) inStamp = inStamp ? undefined : 'kept';
      else if (partBytes === PART_BYTES) inStamp = 'taken out';
    }
  }
}

const FRAME_HEADER = 8;

/** Docker puts eight bytes before each piece: the stream's number and the length. */
async function* unframed(source: AsyncIterable<Buffer>): AsyncIterable<FramePiece> {
  let header = Buffer.alloc(0);
  let left = 0;
  let stderr = false;
  let begins = false;
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
        begins = true;
        continue;
      }
      const data = chunk.subarray(0, left);
      left -= data.length;
      chunk = chunk.subarray(data.length);
      yield { stderr, data, begins };
      begins = false;
    }
  }
}
