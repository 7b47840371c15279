// Lists as long as a body can bring are merged in the time that it takes to read them; looking for each item among all
// others takes minutes.
import { describe, expect, it } from 'vitest';
import { mergeApplied } from '../../src/patch/merge-applied.ts';
import { applyStrategicMerge } from '../../src/patch/strategic-merge.ts';
import { objectMeta } from '../../src/schema/meta.ts';

const COUNT = 80_000;
const numbers = Array.from({ length: COUNT }, (_, index) => index);
const finalizers = numbers.map((index) => `example.com/${index}`);
const ownerReferences = numbers.map((index) => ({ apiVersion: 'v1', kind: 'Z', name: 'z', uid: `${index}` }));
const reversed = { finalizers: finalizers.toReversed(), ownerReferences: ownerReferences.toReversed() };

describe('a long list', () => {
  it('is merged strategically', () => {
    const all = { finalizers, ownerReferences };
    expect(applyStrategicMerge(objectMeta, {}, all)).toEqual({ value: all });
    expect(applyStrategicMerge(objectMeta, all, reversed)).toEqual({ value: reversed });
    const without = { '$deleteFromPrimitiveList/finalizers': finalizers };
    expect(applyStrategicMerge(objectMeta, { finalizers }, without)).toEqual({ value: { finalizers: [] } });
  });

  it('is applied on the server', () => {
    expect(mergeApplied(objectMeta, { finalizers }, { finalizers: reversed.finalizers })).toEqual({
      finalizers: reversed.finalizers,
    });
    expect(mergeApplied(objectMeta, { finalizers }, { finalizers: ['example.com/last'] })).toEqual({
      finalizers: [...finalizers, 'example.com/last'],
    });
  });
});
