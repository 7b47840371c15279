// Proves required node affinity: every operator, the algebra of terms, and what an unreadable one does.
import { formatTerm, matchesNodeSelector } from '@fleetset/scheduler-core/node-affinity';
import type { NodeSelectorRequirement, NodeSelectorTerm } from '@fleetset/scheduler-core/schema/scheduling';
import { describe, expect, test } from 'vitest';

const node = { name: 'edge-1', labels: { zone: 'b', cores: '8', empty: '', word: 'eight' } };
const matches = (...nodeSelectorTerms: NodeSelectorTerm[]) =>
  matchesNodeSelector({ nodeSelectorTerms }, node);

const wants = (text: string): NodeSelectorRequirement => {
  const [key = '', operator = '', ...values] = text.split(' ');
  return {
    key,
    operator: operator as NodeSelectorRequirement['operator'],
    ...(values.length > 0 ? { values: values.map((value) => (value === "''" ? '' : value)) } : {}),
  };
};

describe('rule 13: one requirement on a node with zone=b, cores=8, empty=, word=eight', () => {
  test.each([
    ['zone In a b', true],
    ['zone In a', false],
    ['absent In a', false],
    ["empty In ''", true],
    ['zone NotIn a', true],
    ['zone NotIn a b', false],
    ['absent NotIn a', true],
    ['zone Exists', true],
    ['empty Exists', true],
    ['absent Exists', false],
    ['zone DoesNotExist', false],
    ['absent DoesNotExist', true],
    ['cores Gt 7', true],
    ['cores Gt 8', false],
    ['cores Lt 9', true],
    ['cores Lt 8', false],
    ['cores Gt 007', true],
    ['absent Gt 1', false],
    ['absent Lt 1', false],
    ['word Gt 1', false],
    ['word Lt 9', false],
    ['empty Lt 1', false],
    ['zone.constructor Exists', false],
    ['constructor Exists', false],
  ])('%s: %s', (text, expected) => {
    expect(matches({ matchExpressions: [wants(text)] })).toBe(expected);
  });

  test.each([
    ['Gt beyond 53 bits is exact', 'cores Gt 9007199254740992', '9007199254740993', true],
    ['a label above the largest int64 is no number', 'cores Gt 1', '9223372036854775808', false],
    ['the largest int64 is one', 'cores Gt 1', '9223372036854775807', true],
  ])('%s', (_sentence, text, cores, expected) => {
    const selector = { nodeSelectorTerms: [{ matchExpressions: [wants(text)] }] };
    expect(matchesNodeSelector(selector, { name: 'n', labels: { cores } })).toBe(expected);
  });
});

describe('rule 11: terms', () => {
  const yes = { matchExpressions: [wants('zone In b')] };
  const no = { matchExpressions: [wants('zone In a')] };
  test.each<[string, NodeSelectorTerm[], boolean]>([
    ['are alternatives', [no, yes], true],
    ['match nothing when none does', [no, no], false],
    ['match nothing when there are none', [], false],
    ['that are empty match nothing', [{}], false],
    ['that hold empty lists match nothing', [{ matchExpressions: [], matchFields: [] }], false],
    ['that are empty do not spoil another', [{}, yes], true],
    ['need all their requirements', [{ matchExpressions: [wants('zone In b'), wants('cores Gt 9')] }], false],
    [
      'need labels and fields alike',
      [{ matchExpressions: [wants('zone In b')], matchFields: [wants('metadata.name In other')] }],
      false,
    ],
  ])('%s', (_sentence, terms, expected) => {
    expect(matches(...terms)).toBe(expected);
  });
});

describe('rule 12: an unreadable requirement voids its term, and no other', () => {
  const yes = { matchExpressions: [wants('zone Exists')] };
  test.each([
    ['an unknown operator', wants('zone Near b')],
    ['In without values', wants('zone In')],
    ['NotIn without values, which would match anything', wants('absent NotIn')],
    ['NotIn with a value that can be no label', wants('absent NotIn a/b')],
    ['Exists with a value', wants('zone Exists b')],
    ['DoesNotExist with a value', wants('absent DoesNotExist b')],
    ['Gt with a word', wants('cores Gt many')],
    ['Gt with two values', wants('cores Gt 1 2')],
    ['Gt with a negative number, which can be no label', wants('cores Gt -1')],
    ['a key that can be no label', wants('a//b NotIn c')],
    ['an empty key', { key: '', operator: 'DoesNotExist' as const }],
  ])('%s', (_what, requirement) => {
    expect(matches({ matchExpressions: [requirement] })).toBe(false);
    expect(matches({ matchExpressions: [requirement] }, yes)).toBe(true);
  });
});

describe('rule 14: matchFields on node edge-1', () => {
  test.each([
    ['metadata.name In edge-1', true],
    ['metadata.name In edge-2', false],
    ['metadata.name NotIn edge-2', true],
    ['metadata.name NotIn edge-1', false],
    ['metadata.name In edge-1 edge-2', false],
    ['metadata.name Exists', false],
    ['metadata.namespace In edge-1', false],
    ['spec.unschedulable NotIn true', false],
  ])('%s: %s', (text, expected) => {
    expect(matches({ matchFields: [wants(text)] })).toBe(expected);
  });
  test('a label called metadata.name is not the name', () => {
    const selector = { nodeSelectorTerms: [{ matchExpressions: [wants('metadata.name In edge-1')] }] };
    expect(matchesNodeSelector(selector, node)).toBe(false);
  });
});

test.each<[NodeSelectorTerm, string]>([
  [{ matchExpressions: [wants('a In b c'), wants('d DoesNotExist')] }, 'a In (b, c) and d DoesNotExist'],
  [{ matchFields: [wants('metadata.name In n')] }, 'metadata.name In (n)'],
  [{}, '(empty term: matches nothing)'],
])('a term reads well: %j', (term, text) => {
  expect(formatTerm(term)).toBe(text);
});
