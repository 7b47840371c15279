// Proves laws of strategic merge for any object of our kinds: nothing comes of nothing, a whole object becomes the
// result, and applying twice is applying once.
import { applyStrategicMerge } from '@fleetset/scheduler-core/patch/strategic-merge';
import { daemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import { decode } from '@fleetset/scheduler-core/schema/decode';
import { node } from '@fleetset/scheduler-core/schema/node';
import type { Schema } from '@fleetset/scheduler-core/schema/schema';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { holds, isCaught } from '../property.ts';
import { arbitraryOf } from '../schema/arbitrary.ts';

const values = (schema: Schema) => arbitraryOf(schema).map((json) => decode(schema, json).value);
const pairs = fc
  .constantFrom<Schema>(daemonSet, node)
  .chain((schema) =>
    fc.record({ schema: fc.constant(schema), current: values(schema), target: values(schema) }),
  );

type Apply = (schema: Schema, current: unknown, patch: unknown) => unknown;
const apply: Apply = (schema, current, patch) => {
  const result = applyStrategicMerge(schema, current, patch);
  return 'value' in result ? result.value : result;
};

/** Lists left out at every depth: what remains is maps and plain values. */
const withoutLists = (value: unknown): unknown =>
  value === null || typeof value !== 'object'
    ? value
    : Object.fromEntries(
        Object.entries(value)
          .filter(([, item]) => !Array.isArray(item))
          .map(([key, item]) => [key, withoutLists(item)]),
      );

/** As kubectl diffs: what is to be set, and null for what is to go. */
function patchTo(current: unknown, target: unknown): unknown {
  if (!isMap(current) || !isMap(target)) return target;
  const gone = Object.keys(current).filter((key) => !(key in target));
  return Object.fromEntries([
    ...gone.map((key) => [key, null] as const),
    ...Object.entries(target).map(([key, item]) => [key, patchTo(current[key], item)] as const),
  ]);
}
const isMap = (value: unknown): value is { [key: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

describe('for any two objects of a kind', () => {
  const emptyPatch = (run: Apply) =>
    fc.property(pairs, ({ schema, current }) => {
      expect(run(schema, current, {})).toEqual(current);
    });
  test('an empty patch changes nothing', () => {
    holds(emptyPatch(apply), 200);
  });
  test('a mutant that replaces is caught', () => {
    isCaught(
      emptyPatch((_schema, _current, patch) => patch),
      200,
    );
  });

  const reaches = (run: Apply) =>
    fc.property(pairs, (given) => {
      const current = withoutLists(given.current);
      const target = withoutLists(given.target);
      expect(run(given.schema, current, patchTo(current, target))).toEqual(target);
    });
  test('without lists, the difference to a target yields the target', () => {
    holds(reaches(apply), 200);
  });
  test('a mutant that keeps what is to go is caught', () => {
    isCaught(
      reaches((schema, current, patch) => apply(schema, current, withoutNulls(patch))),
      200,
    );
  });

  const replaces = (run: Apply) =>
    fc.property(pairs, ({ schema, current, target }) => {
      expect(run(schema, current, { ...(target as object), $patch: 'replace' })).toEqual(target);
    });
  test('with lists and all, $patch: replace yields the target', () => {
    holds(replaces(apply), 200);
  });

  const settles = (run: Apply) =>
    fc.property(pairs, ({ schema, current, target }) => {
      const once = run(schema, current, target);
      fc.pre(!isMap(once) || !('problem' in once));
      expect(run(schema, once, target)).toEqual(once);
    });
  test('applied to its own result it changes nothing', () => {
    holds(settles(apply), 300);
  });
  test('a mutant that appends to lists is caught', () => {
    isCaught(
      settles((schema, current, patch) => {
        const result = apply(schema, current, patch) as { spec?: { taints?: unknown[] } };
        const taints = result.spec?.taints;
        return taints?.length
          ? { ...result, spec: { ...result.spec, taints: [...taints, ...taints] } }
          : result;
      }),
      300,
    );
  });
});

const withoutNulls = (value: unknown): unknown =>
  isMap(value)
    ? Object.fromEntries(
        Object.entries(value)
          .filter(([, item]) => item !== null)
          .map(([key, item]) => [key, withoutNulls(item)]),
      )
    : value;
