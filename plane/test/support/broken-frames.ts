// What a broken or hostile client writes after its upgrade, all from one seed: whole frames, and then frames that are
// changed, cut, doubled, made up, or that announce more than ever comes.
import {
  dataFrame,
  goAwayFrame,
  openFrame,
  pingFrame,
  replyFrame,
  resetFrame,
} from '../../src/streams/spdy-frames.ts';
import { createHeaderCodec } from '../../src/streams/spdy-headers.ts';

export interface Dice {
  /** From 0 to below. */
  readonly below: (limit: number) => number;
  readonly pick: <T>(all: readonly T[]) => T;
  readonly bytes: (count: number) => Buffer;
}

export function diceOf(seed: number): Dice {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const below = (limit: number) => next() % limit;
  return {
    below,
    pick: (all) => all[below(all.length)] as (typeof all)[number],
    bytes: (count) => Buffer.from(Array.from({ length: count }, () => below(256))),
  };
}

const WORDS = [0, 1, 2, 0x7f, 0x80, 0xff, 0xffff, 0x8000_0000, 0xffff_ffff];

/** As they are, or not. */
export function broken(dice: Dice, frame: Buffer): Buffer {
  const copy = Buffer.from(frame);
  switch (dice.below(16)) {
    case 0:
      for (let count = 1 + dice.below(4); count > 0 && copy.length > 0; count--)
        copy[dice.below(copy.length)] = dice.below(256);
      return copy;
    case 1:
      return copy.subarray(0, dice.below(copy.length + 1));
    case 2:
      return Buffer.concat([copy, copy]);
    case 3:
      if (copy.length >= 8) copy.writeUInt32BE(dice.pick(WORDS), dice.below(copy.length - 3));
      return copy;
    case 4:
      return dice.bytes(1 + dice.below(200));
    default:
      return copy;
  }
}

/** For an exec, or for a forwarded port. */
export async function spdyFrames(dice: Dice, what: 'exec' | 'portforward'): Promise<Buffer[]> {
  const codec = createHeaderCodec();
  const headers = (id: number): ReadonlyMap<string, string> =>
    what === 'exec'
      ? new Map([['streamtype', dice.pick(['error', 'stdin', 'stdout', 'stderr', 'resize', 'what'])]])
      : new Map([
          ['streamtype', dice.pick(['data', 'error'])],
          ['port', dice.pick(['80', '80', '80', '80', '8080', '0', '65536', '-1', 'x'])],
          ['requestid', String(dice.pick([1, 1, 1, 1, 1, id]))],
        ]);
  const frames: Buffer[] = [];
  let id = 1;
  if (what === 'portforward' && dice.below(2) === 0)
    for (const streamtype of ['error', 'data']) {
      const whole = new Map([
        ['streamtype', streamtype],
        ['port', '80'],
        ['requestid', '1'],
      ]);
      frames.push(openFrame(id, await codec.encode(whole)));
      id += 2;
    }
  for (let count = 2 + dice.below(12); count > 0; count--) {
    // Only what is sent is packed: each block builds on those before it.
    const block = () => codec.encode(headers(id));
    const streamId = dice.pick([1, 3, id, 0, 2, 0x7fff_ffff]);
    switch (dice.below(10)) {
      case 0:
      case 1:
        frames.push(dataFrame(streamId, dice.bytes(dice.below(300)), dice.below(4) === 0));
        break;
      case 2:
        frames.push(resetFrame(streamId, dice.below(12)));
        break;
      case 3:
        frames.push(pingFrame(dice.below(10)), goAwayFrame(dice.below(10)));
        break;
      case 4:
        frames.push(replyFrame(streamId, await block()));
        break;
      default:
        frames.push(openFrame(id, await block(), dice.below(4) === 0));
        id += dice.pick([2, 2, 2, 2, 2, 2, 0, 1]);
    }
  }
  // Sixteen megabytes of data, or of a control frame, of which a little comes.
  if (dice.below(3) === 0) {
    const head = dice.pick([
      [0, 0, 0, 1, 0, 0xff, 0xff, 0xff],
      [0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff],
    ]);
    frames.push(Buffer.concat([Buffer.from(head), dice.bytes(500)]));
  }
  codec.close();
  return frames;
}

export function webSocketFrames(dice: Dice): Buffer[] {
  return Array.from({ length: 2 + dice.below(12) }, () => {
    const opcode = dice.pick([2, 2, 2, 1, 0, 8, 9, 10, 3, 15]);
    const payload = Buffer.concat([
      Buffer.of(dice.pick([0, 0, 1, 3, 4, 255, 7])),
      dice.bytes(dice.below(200)),
    ]);
    return webSocketFrame(dice, opcode, payload);
  });
}

/** In a frame as clients write it, mostly. */
export function webSocketFrame(dice: Dice, opcode: number, payload: Buffer): Buffer {
  const isWhole = dice.below(6) > 0;
  const reserved = dice.below(20) === 0 ? 0x10 << dice.below(3) : 0;
  const first = (isWhole ? 0x80 : 0) | reserved | opcode;
  const isMasked = dice.below(12) > 0;
  const mask = dice.bytes(4);
  const body = isMasked ? payload.map((byte, at) => byte ^ (mask[at % 4] ?? 0)) : payload;
  const bit = isMasked ? 0x80 : 0;
  const length = Buffer.alloc(8);
  switch (dice.below(12)) {
    case 0:
      // More than may come, or than a number can say.
      length.writeBigUInt64BE(dice.pick([2n ** 63n, 2n ** 53n, 2n ** 32n, 5n * 1024n * 1024n]));
      return Buffer.concat([Buffer.of(first, bit | 127), length, isMasked ? mask : Buffer.alloc(0), body]);
    case 1:
      length.writeUInt16BE(body.length, 0);
      return Buffer.concat([
        Buffer.of(first, bit | 126),
        length.subarray(0, 2),
        isMasked ? mask : Buffer.alloc(0),
        body,
      ]);
    default:
      if (body.length < 126)
        return Buffer.concat([Buffer.of(first, bit | body.length), isMasked ? mask : Buffer.alloc(0), body]);
      length.writeUInt16BE(body.length, 0);
      return Buffer.concat([
        Buffer.of(first, bit | 126),
        length.subarray(0, 2),
        isMasked ? mask : Buffer.alloc(0),
        body,
      ]);
  }
}
