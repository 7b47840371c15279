// SPDY's header blocks. Each direction of a connection is one zlib stream from its first block to its last: a block that
// was not read makes every later one unreadable.
import { constants, createDeflate, createInflate, type Deflate, type Inflate } from 'node:zlib';
import { SPDY_DICTIONARY } from './spdy-dictionary.ts';
import { SpdyError } from './spdy-frames.ts';

export type SpdyHeaders = ReadonlyMap<string, string>;

export interface HeaderCodec {
  readonly encode: (headers: SpdyHeaders) => Promise<Buffer>;
  readonly decode: (block: Buffer) => Promise<SpdyHeaders>;
  readonly close: () => void;
}

/** Of one block, unpacked: a few names and values. */
const BLOCK_LIMIT_BYTES = 64 * 1024;

export function createHeaderCodec(): HeaderCodec {
  const pack = through(createDeflate({ dictionary: SPDY_DICTIONARY, windowBits: 11, memLevel: 1 }));
  const unpack = through(createInflate({ dictionary: SPDY_DICTIONARY }));
  return {
    encode: (headers) => pack.run(blockOf(headers)),
    decode: async (block) => headersIn(await unpack.run(block)),
    close: () => {
      pack.close();
      unpack.close();
    },
  };
}

/** One block after the other; after a failure none any more. */
function through(stream: Deflate | Inflate) {
  let pieces: Buffer[] = [];
  let size = 0;
  let failed: ((error: Error) => void) | undefined;
  let failure: Error | undefined;
  stream.on('data', (piece: Buffer) => {
    pieces.push(piece);
    size += piece.length;
    if (size > BLOCK_LIMIT_BYTES) stream.destroy(new SpdyError('a header block is too large'));
  });
  stream.on('error', (error) => {
    failure = error instanceof SpdyError ? error : new SpdyError('a header block cannot be unpacked', error);
    failed?.(failure);
  });
  return {
    run: (input: Buffer): Promise<Buffer> =>
      new Promise((resolve, reject) => {
        if (failure) return reject(failure);
        failed = reject;
        stream.write(input);
        stream.flush(constants.Z_SYNC_FLUSH, () => {
          // Destroyed, it calls back all the same; what went wrong is told as an error.
          if (stream.destroyed) return;
          resolve(Buffer.concat(pieces));
          pieces = [];
          size = 0;
        });
      }),
    close: () => {
      failure ??= new SpdyError('closed');
      failed?.(failure);
      stream.close();
    },
  };
}

const number = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

function blockOf(headers: SpdyHeaders): Buffer {
  const texts = [...headers].flat().map((text) => Buffer.from(text, 'latin1'));
  return Buffer.concat([number(headers.size), ...texts.flatMap((text) => [number(text.length), text])]);
}

function headersIn(block: Buffer): SpdyHeaders {
  let at = 0;
  const take = (length: number): Buffer => {
    if (length > block.length - at) throw new SpdyError('a header block ends too early');
    at += length;
    return block.subarray(at - length, at);
  };
  const text = () => take(take(4).readUInt32BE()).toString('latin1');
  const headers = new Map<string, string>();
  for (let left = take(4).readUInt32BE(); left > 0; left--) headers.set(text().toLowerCase(), text());
  return headers;
}
