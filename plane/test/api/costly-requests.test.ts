// What little bytes of a client could keep the plane, which has one thread for everybody, busy for minutes with. Each
// is of a size that took longer than a test may take, before it was bounded.
import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import { describe, expect, it } from 'vitest';
import { metadata, readMessage } from '../../src/api/protobuf-fields.ts';
import { bearerOf } from '../../src/authentication/authenticate.ts';

describe('before anybody is known', () => {
  it('a header of a token is read in one go', () => {
    expect(bearerOf(`Bearer a${' '.repeat(400_000)}b`)).toBe('a');
    expect(['bEARER  x ', 'Bearer', 'Bearer ', 'Basic x', undefined].map(bearerOf)).toEqual([
      'x',
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe('protobuf', () => {
  it('may repeat a field as often as fits into a body', () => {
    const count = 300_000;
    const meta = new BinaryWriter();
    for (let index = 0; index < count; index++) meta.uint32((14 << 3) | 2).string('');
    const reader = new BinaryReader(new BinaryWriter().uint32((1 << 3) | 2).bytes(meta.finish()).finish());
    const read = readMessage({ 1: metadata }, reader, reader.len) as {
      metadata: { finalizers: string[] };
    };
    expect(read.metadata.finalizers).toHaveLength(count);
  });
});
