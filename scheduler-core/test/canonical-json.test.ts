// Proves one text for one value: equal values write alike, different ones never do.
import { canonicalJson, sameJson } from '@fleetset/scheduler-core/canonical-json';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { holds, isCaught } from './property.ts';

type Value = fc.JsonValue;

/** The same value with the keys of every object the other way round. */
const reversed = (value: Value): Value => {
  if (Array.isArray(value)) return value.map(reversed);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, item]) => [key, reversed(item as Value)]),
  );
};

test.each([
  ['keys are sorted', { b: 1, a: { d: 2, c: 3 } }, '{"a":{"c":3,"d":2},"b":1}'],
  ['what JSON would drop is left out', { a: undefined, b: 1 }, '{"b":1}'],
  ['a hole in a list is null', [1, undefined], '[1,null]'],
  ['null is kept', { a: null }, '{"a":null}'],
  ['nothing at all is null', undefined, 'null'],
  ['lists keep their order', [2, 1], '[2,1]'],
  ['minus zero is zero', -0, '0'],
  ['a key that came from outside is data', JSON.parse('{"__proto__":1}'), '{"__proto__":1}'],
])('%s', (_sentence, value, text) => {
  expect(canonicalJson(value)).toBe(text);
});

describe('for any JSON', () => {
  const independent = (write: typeof canonicalJson) =>
    fc.property(fc.jsonValue(), (value) => {
      expect(write(reversed(value))).toBe(write(value));
    });
  test('the order of keys means nothing', () => {
    holds(independent(canonicalJson), 300);
  });
  test('JSON.stringify, which keeps it, is caught', () => {
    isCaught(
      independent((value) => JSON.stringify(value)),
      300,
    );
  });

  const faithful = (write: typeof canonicalJson) =>
    fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
      expect(JSON.parse(write(one))).toEqual(JSON.parse(JSON.stringify(one)));
      expect(write(one) === write(other)).toBe(
        JSON.stringify(sortedCopy(one)) === JSON.stringify(sortedCopy(other)),
      );
    });
  const sortedCopy = (value: Value): Value => JSON.parse(canonicalJson(value)) as Value;
  test('it reads back as the value', () => {
    holds(faithful(canonicalJson), 300);
  });
});

describe('sameJson', () => {
  const key = fc.constantFrom('a', 'b', '__proto__', 'toString');
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom(undefined, null, 0, -0, 1, '1', '', false),
      fc.array(tie('value'), { maxLength: 2 }),
      fc.dictionary(key, tie('value'), { maxKeys: 3 }),
    ),
  }));
  const agrees = (same: typeof sameJson) =>
    fc.property(value, value, (one, other) => {
      expect(same(one, other)).toBe(canonicalJson(one) === canonicalJson(other));
    });
  test('says of any two values what their texts say', () => {
    holds(agrees(sameJson), 3000, [
      [{ toString: 'a' }, {}],
      [{}, { toString: undefined }],
    ]);
  });
  test('comparing texts that keep the order of keys is caught', () => {
    isCaught(
      agrees((a, b) => JSON.stringify(a) === JSON.stringify(b)),
      3000,
    );
  });
});
