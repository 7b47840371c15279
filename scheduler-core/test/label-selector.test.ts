// Proves label selectors: as objects in a spec, and in the text form that kubectl sends and shows.
import {
  formatSelector,
  matchesRequirements,
  matchesSelector,
  parseSelector,
} from '@fleetset/scheduler-core/label-selector';
import type { LabelSelector } from '@fleetset/scheduler-core/schema/meta';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { holds } from './property.ts';

const labels = { app: 'web', tier: 'front', empty: '', n: '5' };

describe('a selector object', () => {
  test.each<[string, LabelSelector | undefined, boolean]>([
    ['that is absent matches nothing', undefined, false],
    ['that is empty matches everything', {}, true],
    ['wants every label it names', { matchLabels: { app: 'web', tier: 'front' } }, true],
    ['does not match when one label differs', { matchLabels: { app: 'web', tier: 'back' } }, false],
    ['does not take an absent label for an empty one', { matchLabels: { absent: '' } }, false],
    ['matches an empty value', { matchLabels: { empty: '' } }, true],
    [
      'wants labels and expressions alike',
      {
        matchLabels: { app: 'web' },
        matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['front'] }],
      },
      false,
    ],
    ['knows Exists', { matchExpressions: [{ key: 'empty', operator: 'Exists' }] }, true],
    ['knows DoesNotExist', { matchExpressions: [{ key: 'absent', operator: 'DoesNotExist' }] }, true],
    [
      'rule 13: NotIn matches an absent label',
      { matchExpressions: [{ key: 'x', operator: 'NotIn', values: ['y'] }] },
      true,
    ],
    [
      'sees no inherited name as a label',
      { matchExpressions: [{ key: 'toString', operator: 'Exists' }] },
      false,
    ],
  ])('%s', (_sentence, selector, expected) => {
    expect(matchesSelector(selector, labels)).toBe(expected);
  });
});

describe('kubectl -l on app=web, tier=front, empty=, n=5', () => {
  test.each([
    ['', true],
    ['  ', true],
    ['app=web', true],
    ['app==web', true],
    ['app = web', true],
    ['app!=web', false],
    ['absent!=web', true],
    ['empty=', true],
    ['app', true],
    ['absent', false],
    ['!absent', true],
    ['! absent', true],
    ['!app', false],
    ['app in (web,api)', true],
    ['app in(web)', true],
    ['app in ( api , web )', true],
    ['app notin (web)', false],
    ['absent notin (web)', true],
    ['empty in ()', true],
    ['app in (a,b),tier', false],
    ['app=web,tier in (front,back),!absent,n>4', true],
    ['n>4,n<6', true],
    ['n>5', false],
    ['n<6', true],
    ['app.kubernetes.io/name!=x', true],
  ])('%s: %s', (text, expected) => {
    const requirements = parseSelector(text);
    if (typeof requirements === 'string') throw new Error(requirements);
    expect(matchesRequirements(requirements, labels)).toBe(expected);
  });
});

describe('kubectl -l is refused, and the term named', () => {
  test.each([
    ['a b', 'a b'],
    ['a=b,', ''],
    ['a,,b', ''],
    ['a=b=c', 'a=b=c'],
    ['a in b', 'a in b'],
    ['a in (b', 'a in (b'],
    ['a=b)', 'a=b)'],
    ['=b', '=b'],
    ['a=b c', 'a=b c'],
    ['a@b', 'a@b'],
    ['x=y,!', '!'],
    ['a/b/c', 'a/b/c'],
    ['-a=b', '-a=b'],
    ['a=-b', 'a=-b'],
    ['a in (b,c d)', 'a in (b,c d)'],
    [`a=${'x'.repeat(64)}`, `a=${'x'.repeat(64)}`],
    ['n>many', 'n>many'],
    ['n<', 'n<'],
  ])('%s', (text, term) => {
    expect(parseSelector(text)).toBe(`unable to parse requirement: ${JSON.stringify(term)}`);
  });
});

describe('a selector is shown', () => {
  test.each<[LabelSelector | undefined, string]>([
    [undefined, '<none>'],
    [{}, '<none>'],
    [{ matchLabels: { tier: 'front', app: 'web' } }, 'app=web,tier=front'],
    [{ matchExpressions: [{ key: 'a', operator: 'In', values: ['c', 'b'] }] }, 'a in (b,c)'],
    [{ matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['b'] }] }, 'a notin (b)'],
    [{ matchExpressions: [{ key: 'a', operator: 'Exists' }] }, 'a'],
    [{ matchExpressions: [{ key: 'a', operator: 'DoesNotExist' }] }, '!a'],
  ])('%j as %s', (selector, text) => {
    expect(formatSelector(selector)).toBe(text);
  });

  test('in a form that reads back as the same selector', () => {
    const key = fc.constantFrom('app', 'tier', 'a.b/c', 'in', 'notin');
    const values = fc.uniqueArray(fc.constantFrom('web', 'api', 'x_y', '1'), { minLength: 1 });
    const expression = fc.oneof(
      fc.record({ key, operator: fc.constantFrom('In', 'NotIn'), values }),
      fc.record({ key, operator: fc.constantFrom('Exists', 'DoesNotExist') }),
    ) as fc.Arbitrary<NonNullable<LabelSelector['matchExpressions']>[number]>;
    const given = fc.dictionary(key, fc.constantFrom('web', 'api', '1'), { maxKeys: 3 });
    holds(
      fc.property(
        fc.array(expression, { minLength: 1, maxLength: 3 }),
        given,
        (matchExpressions, someLabels) => {
          const read = parseSelector(formatSelector({ matchExpressions }));
          if (typeof read === 'string') throw new Error(read);
          expect(matchesRequirements(read, someLabels)).toBe(
            matchesSelector({ matchExpressions }, someLabels),
          );
        },
      ),
      300,
    );
  });
});

// Sized so that a look ahead from each comma takes longer than a test may.
test('a selector of commas without end is read in one go', () => {
  expect(parseSelector(`${'a,'.repeat(200_000)}(`)).toBe('unable to parse requirement: "("');
  expect(parseSelector(`a in (${'b,'.repeat(100_000)}b),c`)).toHaveLength(2);
});
