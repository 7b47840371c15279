// A map that is another one but for a few entries shows what a copy with these entries would, however often it is
// amended, and those that it was made from stay as they were.
import { type Amendable, amended } from '@fleetset/scheduler-core/amended-map';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { holds, isCaught } from './property.ts';

const KEYS = Array.from({ length: 150 }, (_, index) => `k${index}`);
const someChanges = fc
  .array(fc.tuple(fc.constantFrom(...KEYS), fc.option(fc.nat(9), { nil: undefined })), { maxLength: 60 })
  .map((changes) => new Map(changes));

const shown = (map: Amendable<number>) => ({
  entries: new Map(map),
  keys: new Set(map.keys()),
  size: map.size,
  each: KEYS.map((key) => [map.has(key), map.get(key)]),
});

const isTheSame = (amend: typeof amended) =>
  fc.property(fc.array(someChanges, { maxLength: 8 }), (steps) => {
    let copy = new Map<string, number>();
    let map: Amendable<number> = new Map<string, number>();
    const before: [map: Amendable<number>, copy: Map<string, number>][] = [];
    for (const changes of steps) {
      before.push([map, copy]);
      copy = new Map(copy);
      for (const [key, value] of changes)
        if (value === undefined) copy.delete(key);
        else copy.set(key, value);
      map = amend(map, changes);
      expect(shown(map)).toEqual(shown(copy));
    }
    for (const [one, other] of before) expect(shown(one)).toEqual(shown(other));
  });

test('it shows what a copy would', () => {
  holds(isTheSame(amended), 300);
});

test('a mutant that forgets what is gone is caught', () => {
  isCaught(
    isTheSame((before, changes) => {
      const there = [...changes].filter(([, value]) => value !== undefined);
      return amended(before, new Map(there));
    }),
    300,
  );
});

test('a mutant that writes into the map of before is caught', () => {
  isCaught(
    isTheSame((before, changes) => {
      if (!(before instanceof Map)) return amended(before, changes);
      for (const [key, value] of changes)
        if (value === undefined) before.delete(key);
        else before.set(key, value);
      return before;
    }),
    300,
  );
});
