// Proves JSON merge patch by the examples RFC 7386 publishes, and its laws for any JSON.
import { applyMergePatch } from '@fleetset/scheduler-core/patch/merge-patch';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { holds, isCaught } from '../property.ts';

describe('RFC 7386, appendix A', () => {
  test.each([
    ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
    ['{"a":"b"}', '{"a":null}', '{}'],
    ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
    ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
    ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
    ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
    ['["a","b"]', '["c","d"]', '["c","d"]'],
    ['{"a":"b"}', '["c"]', '["c"]'],
    ['{"a":"foo"}', 'null', 'null'],
    ['{"a":"foo"}', '"bar"', '"bar"'],
    ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
    ['[1,2]', '{"a":"b","c":null}', '{"a":"b"}'],
    ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
  ])('%s with %s is %s', (current, patch, result) => {
    expect(applyMergePatch(JSON.parse(current), JSON.parse(patch))).toEqual(JSON.parse(result));
  });
});

test('a key called __proto__ is data', () => {
  const result = applyMergePatch({ a: 1 }, JSON.parse('{"__proto__":{"polluted":true},"b":{"__proto__":1}}'));
  expect(JSON.stringify(result)).toBe('{"a":1,"__proto__":{"polluted":true},"b":{"__proto__":1}}');
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

describe('for any JSON', () => {
  const json = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<unknown>;
  const object = fc.dictionary(fc.constantFrom('a', 'b', 'c'), json, { maxKeys: 3 });
  const withoutNulls = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value), (_key, item) => item ?? undefined);

  const laws = (apply: typeof applyMergePatch) =>
    fc.property(object, object, (current, patch) => {
      const before = JSON.stringify([current, patch]);
      const once = apply(current, patch);
      expect(apply(once, patch)).toEqual(once);
      expect(apply(current, {})).toEqual(current);
      expect(JSON.stringify([current, patch])).toBe(before);
    });
  test('twice is once, the empty patch is nothing, and neither side is touched', () => {
    holds(laws(applyMergePatch), 300);
  });
  test('a mutant that forgets to remove is caught', () => {
    const keepsAll: typeof applyMergePatch = (current, patch) => ({
      ...(current as object),
      ...(patch as object),
    });
    isCaught(
      fc.property(object, fc.constantFrom('a', 'b', 'c'), (current, key) => {
        expect(keepsAll(current, { [key]: null })).not.toHaveProperty(key);
      }),
      100,
    );
  });
  test('what is made of nothing is the patch without its nulls', () => {
    const record = fc.dictionary(fc.constantFrom('a', 'b'), fc.oneof(fc.constant(null), fc.string()), {
      maxKeys: 2,
    });
    holds(
      fc.property(record, (patch) => {
        expect(applyMergePatch(undefined, patch)).toEqual(withoutNulls(patch));
      }),
      100,
    );
  });
});
