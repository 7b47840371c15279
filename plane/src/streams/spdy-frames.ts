// SPDY/3.1 as bytes. What comes may be cut anywhere and may be anything: what is no frame is a SpdyError.

export class SpdyError extends Error {
  override readonly name = 'SpdyError';
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
  }
}

export type SpdyFrame =
  | { readonly kind: 'open'; readonly streamId: number; readonly end: boolean; readonly block: Buffer }
  | {
      readonly kind: 'reply' | 'headers';
      readonly streamId: number;
      readonly end: boolean;
      readonly block: Buffer;
    }
  | { readonly kind: 'reset'; readonly streamId: number; readonly status: number }
  | { readonly kind: 'ping'; readonly id: number }
  | { readonly kind: 'goAway' }
  /** A data frame comes in as many of these as it was cut into; `end` is with the last. */
  | { readonly kind: 'data'; readonly streamId: number; readonly end: boolean; readonly data: Buffer }
  /** Settings and window updates, which nobody here goes by. */
  | { readonly kind: 'other' };

const VERSION = 3;
const TYPES = { open: 1, reply: 2, reset: 3, ping: 6, goAway: 7, headers: 8 } as const;
/** The types in between and after, which have nothing to say here. */
const OTHER_TYPES = [4, 9, 10, 11];
const END = 1;
const ID_MASK = 0x7fffffff;
const HEADER_BYTES = 8;
const CONTROL_LIMIT_BYTES = 32 * 1024;

export const RESET = { protocolError: 1, refused: 3, cancel: 5 } as const;

export interface FrameParser {
  readonly push: (chunk: Buffer) => Iterable<SpdyFrame>;
}

export function createFrameParser(): FrameParser {
  let rest: Buffer = Buffer.alloc(0);
  /** The data frame that is coming in. */
  let data: { readonly streamId: number; readonly end: boolean; left: number } | undefined;

  /** Undefined when more must come first. */
  const next = (): SpdyFrame | undefined => {
    if (data) {
      if (rest.length === 0) return undefined;
      const { streamId } = data;
      const piece = rest.subarray(0, data.left);
      rest = rest.subarray(piece.length);
      data.left -= piece.length;
      const whole = data.left === 0;
      const end = whole && data.end;
      if (whole) data = undefined;
      return { kind: 'data', streamId, end, data: piece };
    }
    if (rest.length < HEADER_BYTES) return undefined;
    const first = rest.readUInt32BE(0);
    const flags = rest.readUInt8(4);
    const length = rest.readUIntBE(5, 3);
    if (first <= ID_MASK) {
      rest = rest.subarray(HEADER_BYTES);
      const end = (flags & END) !== 0;
      if (length === 0) return { kind: 'data', streamId: first, end, data: Buffer.alloc(0) };
      data = { streamId: first, end, left: length };
      return next();
    }
    const version = (first >>> 16) & 0x7fff;
    if (version !== VERSION) throw new SpdyError(`not SPDY/3.1: version ${version}`);
    if (length > CONTROL_LIMIT_BYTES) throw new SpdyError(`a control frame of ${length} bytes is too large`);
    if (rest.length < HEADER_BYTES + length) return undefined;
    const body = rest.subarray(HEADER_BYTES, HEADER_BYTES + length);
    rest = rest.subarray(HEADER_BYTES + length);
    return controlFrame(first & 0xffff, (flags & END) !== 0, body);
  };

  return {
    *push(chunk) {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      for (let frame = next(); frame; frame = next()) yield frame;
    },
  };
}

function controlFrame(type: number, end: boolean, body: Buffer): SpdyFrame {
  const word = (at: number): number => {
    if (body.length < at + 4) throw new SpdyError(`a frame of type ${type} is too short`);
    return body.readUInt32BE(at);
  };
  const streamId = () => word(0) & ID_MASK;
  switch (type) {
    case TYPES.open:
      if (body.length < 10) throw new SpdyError('a frame that opens a stream is too short');
      return { kind: 'open', streamId: streamId(), end, block: body.subarray(10) };
    case TYPES.reply:
      return { kind: 'reply', streamId: streamId(), end, block: body.subarray(4) };
    case TYPES.headers:
      return { kind: 'headers', streamId: streamId(), end, block: body.subarray(4) };
    case TYPES.reset:
      return { kind: 'reset', streamId: streamId(), status: word(4) };
    case TYPES.ping:
      return { kind: 'ping', id: word(0) };
    case TYPES.goAway:
      return { kind: 'goAway' };
  }
  if (OTHER_TYPES.includes(type)) return { kind: 'other' };
  throw new SpdyError(`frames of type ${type} are not known`);
}

function control(type: number, flags: number, ...parts: readonly (number | Buffer)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'number' ? word(part) : part)));
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32BE(((0x8000 | VERSION) * 0x10000 + type) >>> 0, 0);
  header.writeUInt8(flags, 4);
  header.writeUIntBE(body.length, 5, 3);
  return Buffer.concat([header, body]);
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

const PRIORITY_AND_SLOT = Buffer.alloc(2);

export const openFrame = (streamId: number, block: Buffer, end = false): Buffer =>
  control(TYPES.open, end ? END : 0, streamId, 0, PRIORITY_AND_SLOT, block);
export const replyFrame = (streamId: number, block: Buffer): Buffer =>
  control(TYPES.reply, 0, streamId, block);
export const resetFrame = (streamId: number, status: number): Buffer =>
  control(TYPES.reset, 0, streamId, status);
export const pingFrame = (id: number): Buffer => control(TYPES.ping, 0, id);
export const goAwayFrame = (lastStreamId: number, status = 0): Buffer =>
  control(TYPES.goAway, 0, lastStreamId, status);

export function dataFrame(streamId: number, data: Uint8Array, end = false): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32BE(streamId, 0);
  header.writeUInt8(end ? END : 0, 4);
  header.writeUIntBE(data.length, 5, 3);
  return Buffer.concat([header, data]);
}
