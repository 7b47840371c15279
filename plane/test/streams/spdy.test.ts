// SPDY/3.1: headers that build on each other, frames that are cut anywhere, streams that end by halves, a reader who is
// slow, and whatever else a client may send.
import { duplexPair } from 'node:stream';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { SPDY_DICTIONARY } from '../../src/streams/spdy-dictionary.ts';
import {
  createFrameParser,
  dataFrame,
  goAwayFrame,
  openFrame,
  pingFrame,
  resetFrame,
  type SpdyFrame,
} from '../../src/streams/spdy-frames.ts';
import { createHeaderCodec } from '../../src/streams/spdy-headers.ts';
import { type SpdyStream, serveSpdy } from '../../src/streams/spdy-session.ts';
import { runs } from '../support/fixed-seed.ts';
import { createSpdyClient } from '../support/spdy-client.ts';
import { turns, until } from '../support/until.ts';

const KB = 1024;
const opened: { destroy: () => void }[] = [];
afterEach(() => {
  for (const end of opened.splice(0)) end.destroy();
});

function session(maxStreams = 8, onStream: (stream: SpdyStream) => void = () => {}) {
  const [near, far] = duplexPair({ highWaterMark: 16 * KB });
  opened.push(near, far);
  const streams: SpdyStream[] = [];
  const served = serveSpdy(near, {
    maxStreams,
    onStream: (stream) => {
      streams.push(stream);
      onStream(stream);
    },
  });
  return { served, streams, client: createSpdyClient(far), near, far };
}
const read = async (stream: SpdyStream | undefined): Promise<string> => {
  let text = '';
  for await (const piece of stream?.data ?? []) text += Buffer.from(piece).toString('latin1');
  return text;
};

function adler32(bytes: Uint8Array): number {
  let [a, b] = [1, 0];
  for (const byte of bytes) {
    a = (a + byte) % 65_521;
    b = (b + a) % 65_521;
  }
  return (b * 65_536 + a) >>> 0;
}

describe('header blocks', () => {
  it('begin with the dictionary that every other end has', () => {
    // The checksum by which zlib names it, as in any recorded SPDY/3 connection.
    expect(adler32(SPDY_DICTIONARY).toString(16)).toBe('e3c6a7c2');
    expect(SPDY_DICTIONARY).toHaveLength(1423);
  });

  it('build on the ones before, each direction by itself', async () => {
    const [near, far] = [createHeaderCodec(), createHeaderCodec()];
    const sizes: number[] = [];
    for (let round = 0; round < 20; round++)
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        const headers = new Map([
          ['streamtype', 'data'],
          ['requestid', String(round)],
          ['port', '8080'],
        ]);
        const block = await from.encode(headers);
        sizes.push(block.length);
        expect(await to.decode(block)).toEqual(headers);
      }
    // Later ones only say what differs.
    expect(sizes.at(-1)).toBeLessThan((sizes[0] ?? 0) / 2);
    near.close();
    far.close();
  });

  it('that unpack to more than they should are refused', async () => {
    const [near, far] = [createHeaderCodec(), createHeaderCodec()];
    const block = await near.encode(new Map([['a', 'x'.repeat(1_000_000)]]));
    expect(block.length).toBeLessThan(10_000);
    await expect(far.decode(block)).rejects.toThrow('a header block is too large');
    await expect(far.decode(block)).rejects.toThrow();
    near.close();
    far.close();
  });
});

describe('frames', () => {
  it('are the same however they are cut', () => {
    const sent = Buffer.concat([
      openFrame(1, Buffer.from('block')),
      dataFrame(1, Buffer.from('some data')),
      pingFrame(7),
      dataFrame(3, Buffer.alloc(0), true),
      resetFrame(5, 3),
      dataFrame(1, Buffer.from('the end'), true),
      goAwayFrame(1),
    ]);
    /** What was cut into pieces is put together again. */
    const heard = (chunks: readonly Buffer[]) => {
      const parser = createFrameParser();
      const frames: SpdyFrame[] = [];
      for (const frame of chunks.flatMap((chunk) => [...parser.push(chunk)])) {
        const last = frames.at(-1);
        if (frame.kind === 'data' && last?.kind === 'data' && !last.end && last.streamId === frame.streamId)
          frames[frames.length - 1] = { ...frame, data: Buffer.concat([last.data, frame.data]) };
        else frames.push(frame);
      }
      return frames;
    };
    const whole = heard([sent]);
    expect(whole.map(({ kind }) => kind)).toEqual([
      'open',
      'data',
      'ping',
      'data',
      'reset',
      'data',
      'goAway',
    ]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: sent.length })), (cuts) => {
        const places = [0, ...cuts.sort((a, b) => a - b), sent.length];
        const chunks = places.slice(1).map((place, index) => sent.subarray(places[index], place));
        expect(heard(chunks)).toEqual(whole);
      }),
      runs(),
    );
  });
});

describe('a session', () => {
  it('replies to streams, carries data both ways, and ends each half by itself', async () => {
    const { client, streams } = session();
    const stream = await client.open({ streamtype: 'data', port: '80' });
    const [served] = streams;
    expect([...(served?.headers ?? [])]).toEqual([
      ['streamtype', 'data'],
      ['port', '80'],
    ]);
    stream.send('to the server', true);
    expect(await read(served)).toBe('to the server');
    await served?.write(Buffer.from('and back'));
    served?.end();
    await until('ended', stream.ended);
    expect(stream.text()).toBe('and back');
    await client.ping(11);
  });

  it('carries large data whole, in pieces that fit', async () => {
    const { client, streams } = session();
    const stream = await client.open({ streamtype: 'data' });
    const large = Buffer.alloc(1_000_000, 'abc');
    await streams[0]?.write(large);
    await until('all of it', () => stream.bytes().length === large.length);
    expect(stream.bytes().equals(large)).toBe(true);
  });

  it('refuses streams beyond the limit, and takes new ones when others have ended', async () => {
    const { client, streams } = session(2);
    const [first] = [await client.open({ a: '1' }), await client.open({ a: '2' })];
    expect((await client.open({ a: '3' })).wasReset()).toBe(true);
    first?.end();
    streams[0]?.end();
    await until('ended', () => first?.ended());
    expect((await client.open({ a: '4' })).wasReset()).toBe(false);
  });

  it('tells the reader of a stream that the client reset it, and lets others be', async () => {
    const { client, streams } = session();
    const [gone, stays] = [await client.open({ a: '1' }), await client.open({ a: '2' })];
    const reading = read(streams[0]);
    gone?.reset();
    await expect(reading).rejects.toThrow('the client reset the stream');
    stays?.send('here', true);
    expect(await read(streams[1])).toBe('here');
  });

  it('tells every reader that the client has left', async () => {
    const { client, streams, served } = session();
    await client.open({ a: '1' });
    const reading = read(streams[0]);
    client.drop();
    await expect(reading).rejects.toThrow('the client has left');
    expect(served.gone.aborted).toBe(true);
  });

  it('whose reader stands still takes no more than a little, and all of it in the end', async () => {
    const { client, streams, far } = session();
    const stream = await client.open({ a: '1' });
    const size = 4 * KB * KB;
    const piece = Buffer.alloc(64 * KB, 'x');
    for (let sent = 0; sent < size; sent += piece.length) stream.send(piece);
    stream.end();
    let before = -1;
    await until('nothing flows', async () => {
      await turns(50);
      const still = before === far.writableLength;
      before = far.writableLength;
      return still;
    });
    // Seen failing (everything taken) without the wait in takeData.
    expect(far.writableLength).toBeGreaterThan(size - 512 * KB);
    expect((await read(streams[0])).length).toBe(size);
  });

  it('goes on for the others when what waits is reset', async () => {
    const { client, streams } = session();
    const stuck = await client.open({ a: '1' });
    stuck.send(Buffer.alloc(1024 * KB));
    streams[0]?.reset();
    const other = await client.open({ a: '2' });
    other.send('on', true);
    expect(await read(streams[1])).toBe('on');
  });
});

describe('a client that does not keep to the protocol', () => {
  const raw = (type: number, body: Buffer, version = 3): Buffer => {
    const header = Buffer.alloc(8);
    header.writeUInt16BE(0x8000 | version, 0);
    header.writeUInt16BE(type, 2);
    header.writeUIntBE(body.length, 5, 3);
    return Buffer.concat([header, body]);
  };
  it.each<[string, Buffer]>([
    ['speaks HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(8)).fill(0x80, 0, 1)],
    ['speaks another version', raw(1, Buffer.alloc(20), 2)],
    ['sends a type that there is not', raw(77, Buffer.alloc(8))],
    ['sends a ping without a number', raw(6, Buffer.alloc(1))],
    ['opens a stream without saying which', raw(1, Buffer.alloc(4))],
    ['sends headers that are no zlib stream', openFrame(1, Buffer.from('garbage'.repeat(10)))],
    ['sends a control frame of megabytes', raw(8, Buffer.alloc(0xfffff))],
  ])('because it %s is sent away with a GOAWAY', async (_, bytes) => {
    const { client, served } = session();
    client.write(bytes);
    await until('gone', () => served.gone.aborted);
    await until('told', client.saidGoodbye);
  });

  it.each([
    ['the same number twice', [1, 1]],
    ['a number of the server', [2]],
    ['a number that is too low', [5, 3]],
    ['the number 0', [0]],
  ])('because it gives a stream %s is sent away', async (_, ids) => {
    const { client, served } = session();
    const codec = createHeaderCodec();
    for (const id of ids) client.write(openFrame(id, await codec.encode(new Map([['a', '1']]))));
    await until('gone', () => served.gone.aborted);
    codec.close();
  });

  it('whatever it is, costs only its own session', async () => {
    const valid = async () => {
      const codec = createHeaderCodec();
      const frames = [
        openFrame(1, await codec.encode(new Map([['streamtype', 'data']]))),
        dataFrame(1, Buffer.from('hello')),
        pingFrame(1),
        openFrame(3, await codec.encode(new Map([['streamtype', 'error']]))),
        resetFrame(3, 5),
        dataFrame(1, Buffer.alloc(0), true),
        goAwayFrame(0),
      ];
      codec.close();
      return Buffer.concat(frames);
    };
    const good = await valid();
    const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
    /** Parts of what is right, with bytes changed and put in between. */
    const mutated = fc
      .array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 })
      .map((changes) => {
        const copy = Buffer.from(good);
        for (const [place, value] of changes) copy[place] = value;
        return copy;
      });
    const failures: unknown[] = [];
    const onFailure = (error: unknown) => void failures.push(error);
    process.on('unhandledRejection', onFailure);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(bytes, mutated), { minLength: 1, maxLength: 5 }), async (chunks) => {
        const [near, far] = duplexPair();
        far.resume();
        far.on('error', () => {});
        const served = serveSpdy(near, {
          maxStreams: 4,
          onStream: (stream) => {
            void read(stream).catch(() => {});
            void stream.write(Buffer.from('answer')).then(stream.end);
          },
        });
        for (const chunk of chunks) far.write(chunk);
        far.end();
        await until('over', () => served.gone.aborted);
        near.destroy();
      }),
      runs(300),
    );
    await turns(20);
    process.off('unhandledRejection', onFailure);
    expect(failures).toEqual([]);
  });
});
