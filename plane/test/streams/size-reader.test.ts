// Sizes of terminals, as they come in over a stream that may cut them anywhere and hold anything else.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSizeReader } from '../../src/streams/command-client.ts';
import { runs } from '../support/fixed-seed.ts';

function sizesIn(chunks: readonly Uint8Array[]) {
  const sizes: object[] = [];
  const read = createSizeReader((size) => sizes.push(size));
  for (const chunk of chunks) read(chunk);
  return sizes;
}

describe('sizes', () => {
  it('are read wherever they are cut', () => {
    const text = Buffer.from('{"Width":80,"Height":24}\n{"Width":111,"Height":44}\n');
    fc.assert(
      fc.property(fc.integer({ min: 0, max: text.length }), (cut) => {
        const sizes = sizesIn([text.subarray(0, cut), text.subarray(cut)]);
        expect(sizes.at(-1)).toEqual({ width: 111, height: 44 });
      }),
      runs(),
    );
  });

  it.each([
    '{"Width":0,"Height":0}',
    '{"Width":1e9,"Height":1}',
    '{"Width":"80","Height":24}',
    '{}',
    '{]',
    'null',
  ])('%s is none, and the next is read', (text) => {
    expect(sizesIn([Buffer.from(text), Buffer.from('{"Width":1,"Height":2}')])).toEqual([
      { width: 1, height: 2 },
    ]);
  });

  it('never fail on what is no size, and keep little of it', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 5000 })), (chunks) => {
        sizesIn(chunks);
      }),
      runs(),
    );
  });
});
