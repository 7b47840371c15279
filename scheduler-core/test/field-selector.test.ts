// Proves field selectors as clients send them: in any order, with empty values, escaped.
import { matchesFields, parseFieldSelector } from '@fleetset/scheduler-core/field-selector';
import { describe, expect, test } from 'vitest';

describe('a field selector is read', () => {
  test.each([
    ['', []],
    ['metadata.name=a', [{ field: 'metadata.name', equal: true, value: 'a' }]],
    ['metadata.name==a', [{ field: 'metadata.name', equal: true, value: 'a' }]],
    ['status.phase!=Failed', [{ field: 'status.phase', equal: false, value: 'Failed' }]],
    // As kubectl describe sends it for a node.
    [
      'involvedObject.namespace=,involvedObject.kind=Node',
      [
        { field: 'involvedObject.namespace', equal: true, value: '' },
        { field: 'involvedObject.kind', equal: true, value: 'Node' },
      ],
    ],
    [
      'involvedObject.fieldPath=spec.containers{main},type=Warning',
      [
        { field: 'involvedObject.fieldPath', equal: true, value: 'spec.containers{main}' },
        { field: 'type', equal: true, value: 'Warning' },
      ],
    ],
    ['a=b,', [{ field: 'a', equal: true, value: 'b' }]],
    ['a=b\\,c', [{ field: 'a', equal: true, value: 'b,c' }]],
    ['a=b\\=c', [{ field: 'a', equal: true, value: 'b=c' }]],
    [
      'a=b\\\\,c=d',
      [
        { field: 'a', equal: true, value: 'b\\' },
        { field: 'c', equal: true, value: 'd' },
      ],
    ],
    ['a=b\\\\\\,c', [{ field: 'a', equal: true, value: 'b\\,c' }]],
  ])('%s', (text, terms) => {
    expect(parseFieldSelector(text)).toEqual(terms);
  });
});

test.each([
  ['a', 'a'],
  ['=b', '=b'],
  ['x=y,a in (b)', 'a in (b)'],
])('%s is refused, and the term named', (text, term) => {
  expect(parseFieldSelector(text)).toBe(`invalid selector: '${term}'; can't understand '${term}'`);
});

describe('every term must match', () => {
  const fieldOf = (field: string) => ({ 'metadata.name': 'a', 'status.phase': 'Running' })[field] ?? '';
  test.each([
    ['', true],
    ['metadata.name=a', true],
    ['metadata.name=b', false],
    ['metadata.name=a,status.phase!=Running', false],
    ['status.phase!=Failed,metadata.name=a', true],
    ['spec.nodeName=', true],
    ['spec.nodeName!=', false],
  ])('%s: %s', (text, expected) => {
    const terms = parseFieldSelector(text);
    if (typeof terms === 'string') throw new Error(terms);
    expect(matchesFields(terms, fieldOf)).toBe(expected);
  });
});
