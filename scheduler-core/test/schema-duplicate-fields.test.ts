// Fields that JSON sets twice are found wherever they are, and nothing else is.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { duplicateFields } from '../src/schema/duplicate-fields.ts';
import { holds } from './property.ts';

describe('a field that is set twice', () => {
  it.each<[string, string, string[]]>([
    ['at the top', '{"a":1,"a":2}', ['a']],
    ['inside', '{"spec":{"x":1, "y" : {}, "x":2}}', ['spec.x']],
    ['in a list', '{"l":[{"a":1},{"a":1,"a":2}]}', ['l[1].a']],
    ['three times is told once', '{"a":1,"a":2,"a":3}', ['a']],
    ['in a list of lists', '[[{"a":[],"a":{}}]]', ['[0][0].a']],
    ['written in another way', String.raw`{"\u0061b":1,"ab":2}`, ['ab']],
    ['with what looks like an end in a text', String.raw`{"a":"}\"]","a":"\\"}`, ['a']],
    ['after a deep one', '{"a":{"b":{"c":[1,2,{"d":null}]}},"e":true,"e":false}', ['e']],
  ])('%s', (_, text, paths) => {
    expect(duplicateFields(text)).toEqual(paths);
  });

  it('is never found where there is none', () => {
    holds(
      fc.property(fc.json({ maxDepth: 6 }), fc.constantFrom(undefined, 1, '\t'), (text, space) => {
        expect(duplicateFields(JSON.stringify(JSON.parse(text), null, space))).toEqual([]);
      }),
      100,
    );
  });

  it('is found in what is deeper than a stack', () => {
    const depth = 100_000;
    const text = `${'{"a":'.repeat(depth)}{"b":1,"b":2}${'}'.repeat(depth)}`;
    expect(duplicateFields(text)).toHaveLength(1);
  });
});
