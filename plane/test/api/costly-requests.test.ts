// What little bytes of a client could keep the plane, which has one thread for everybody, busy for minutes with. Each
// is of a size that took longer than a test may take, before it was bounded.
import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import { describe, expect, it } from 'vitest';
import { parseJson, parseYaml } from '../../src/api/body.ts';
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
    const reader = new BinaryReader(
      new BinaryWriter()
        .uint32((1 << 3) | 2)
        .bytes(meta.finish())
        .finish(),
    );
    const read = readMessage({ 1: metadata }, reader, reader.len) as {
      metadata: { finalizers: string[] };
    };
    expect(read.metadata.finalizers).toHaveLength(count);
  });
});

describe('YAML', () => {
  const list = (count: number) => `a:\n${'- b\n'.repeat(count)}`;

  it('of a manifest is read, and what would take long is not', () => {
    expect(parseYaml(list(10_000)).value).toEqual({ a: Array(10_000).fill('b') });
    const text = `a: |\n${`  ${'x'.repeat(70)}\n`.repeat(40_000)}`;
    expect(Object.keys(parseYaml(text).value as object)).toEqual(['a']);
    expect(parseYaml('a: |\n  *no alias\nb: &b 1\nc: *b\n').value).toEqual({ a: '*no alias\n', b: 1, c: 1 });
    const keys = Array.from({ length: 200_000 }, (_, index) => `k${index}: 1\n`).join('');
    const aliases = `a: &a x\n${'- *a\n'.repeat(200)}`;
    for (const hostile of [list(700_000), keys, aliases, '['.repeat(1_000_000)])
      expect(() => parseYaml(hostile)).toThrow(/too large for YAML: send it as JSON/);
  });

  it('says which key comes twice, however many there are', () => {
    const keys = Array.from({ length: 12_000 }, (_, index) => `k${index}: 1\n`).join('');
    expect(parseYaml(keys)).toMatchObject({ value: { k11999: 1 }, repeats: [] });
    const twice = parseYaml(`${keys}k7: 2\n`);
    expect(twice).toMatchObject({ value: { k7: 2 }, repeats: ['k7'] });
    expect(parseYaml('a: [0, {b: 1, c: 2, b: 3, b: 4}]')).toEqual({
      value: { a: [0, { b: 4, c: 2 }] },
      repeats: ['a[1].b'],
    });
    expect(parseYaml('a: &a {x: 1}\nb: {<<: *a, <<: *a, x: 2}').repeats).toEqual([]);
  });

  it('is not searched for keys in what is too deep to be read', () => {
    const hidden = `a: ${'['.repeat(600)}{b: 1, b: 2}${']'.repeat(600)}\na: 1\n`;
    expect(parseYaml(hidden)).toEqual({ value: { a: 1 }, repeats: ['a'] });
  });
});

describe('what nests deeply', () => {
  const json = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
  const yaml = (depth: number) => `a: ${'['.repeat(depth)}${']'.repeat(depth)}`;

  it('is read as far as the plane can work on it', () => {
    expect(JSON.stringify(parseJson(json(500)))).toBe(json(500));
    expect(() => parseYaml(yaml(300))).not.toThrow();
    for (const depth of [501, 3000, 500_000]) {
      expect(() => parseJson(json(depth))).toThrow(/nests more than 500 levels deep/);
      expect(() => parseYaml(yaml(depth))).toThrow(/500 levels deep|call stack|too large for YAML/);
    }
  });
});
