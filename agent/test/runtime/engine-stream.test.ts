// What the engine streams, in frames that come in any pieces.
import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { logBytes } from '../../src/runtime/engine-stream.ts';

const STAMP = '2030-01-02T03:04:05.678901234Z';
const frame = (stream: 1 | 2, text: string): Buffer => {
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
};
async function shown(
  frames: readonly Buffer[],
  pieceBytes: number,
  stamped: boolean,
  tty = false,
): Promise<string> {
  const all = Buffer.concat(frames);
  const count = Math.ceil(all.length / pieceBytes);
  const pieces = Array.from({ length: count }, (_, index) =>
    all.subarray(index * pieceBytes, (index + 1) * pieceBytes),
  );
  const out: Uint8Array[] = [];
  for await (const bytes of logBytes(Readable.from(pieces), tty, stamped)) out.push(bytes);
  return Buffer.concat(out).toString('utf8');
}

it.each([1, 7, 31, 1000])('a line in parts has one time, read %i bytes at once', async (pieceBytes) => {
  const frames = [
    frame(1, `${STAMP} short\n`),
    frame(1, `${STAMP} be`),
    frame(2, `${STAMP} error\n`),
    frame(1, `${STAMP} gins `),
    frame(1, `${STAMP} `),
    frame(1, `${STAMP} and ends\n`),
    frame(1, `${STAMP} next\n`),
  ];
  expect(await shown(frames, pieceBytes, true)).toBe(
    `${STAMP} short\n${STAMP} be${STAMP} error\ngins and ends\n${STAMP} next\n`,
  );
});

it.each([1, 31, 16_384, 16_415, 100_000])(
  'of a terminal too, where a part is 16 KiB, read %i bytes at once',
  async (pieceBytes) => {
    const part = `${'x y'.repeat(5461)}z`;
    const entries = ['short\r\n', part, part, 'end\r\n', part, '\r\n', `${part.slice(1)}\n`, part, 'no end'];
    const log = Buffer.from(entries.map((entry) => `${STAMP} ${entry}`).join(''));
    const lines = [
      'short\r\n',
      `${part}${part}end\r\n`,
      `${part}\r\n`,
      `${part.slice(1)}\n`,
      `${part}no end`,
    ];
    expect(await shown([log], pieceBytes, true, true)).toBe(lines.map((line) => `${STAMP} ${line}`).join(''));
  },
);

it('without times nothing is taken out', async () => {
  const frames = [frame(1, 'a b'), frame(1, 'c d'), frame(1, 'e f\n')];
  expect(await shown(frames, 5, false)).toBe('a bc de f\n');
});
