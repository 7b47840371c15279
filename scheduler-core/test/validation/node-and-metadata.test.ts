// Proves what operators may write on nodes and on any object: taints, names, namespaces.

import type { Taint } from '@fleetset/scheduler-core/schema/scheduling';
import { validateMetadata } from '@fleetset/scheduler-core/validation/metadata';
import { validateTaints } from '@fleetset/scheduler-core/validation/scheduling';
import { describe, expect, test } from 'vitest';

const lines = (errors: readonly { readonly field: string; readonly message: string }[]) =>
  errors.map(({ field, message }) => `${field}: ${message}`);

describe('taints', () => {
  test.each<[string, Taint[], string[]]>([
    [
      'right ones',
      [
        { key: 'a.b/c', value: 'd', effect: 'NoSchedule' },
        { key: 'e', effect: 'NoExecute' },
      ],
      [],
    ],
    [
      'one key with two effects',
      [
        { key: 'a', effect: 'NoSchedule' },
        { key: 'a', effect: 'NoExecute' },
      ],
      [],
    ],
    [
      'the same twice',
      [
        { key: 'a', effect: 'NoSchedule' },
        { key: 'a', value: 'b', effect: 'NoSchedule' },
      ],
      ['t[1]: Duplicate value: {"effect":"NoSchedule","key":"a"}'],
    ],
    [
      'no key',
      [{ key: '', effect: 'NoSchedule' }],
      ['t[0].key: Invalid value: "": name part must be non-empty'],
    ],
    ['no effect', [{ key: 'a', effect: '' }], ['t[0].effect: Required value']],
    [
      'an unknown effect',
      [{ key: 'a', effect: 'Never' }],
      [
        't[0].effect: Unsupported value: "Never": supported values: "NoExecute", "NoSchedule", "PreferNoSchedule"',
      ],
    ],
    [
      'a value that is no label value',
      [{ key: 'a', value: '-', effect: 'NoSchedule' }],
      ['t[0].value: Invalid value: "-": a valid label must be…'],
    ],
  ])('%s', (_sentence, taints, expected) => {
    const found = lines(validateTaints('t', taints));
    expect(found.map((line) => line.replace(/(a valid label must be).*/, '$1…'))).toEqual(expected);
  });
});

describe('metadata', () => {
  test('of a thing in a namespace has one', () => {
    expect(lines(validateMetadata({ name: 'a' }, true))).toEqual(['metadata.namespace: Required value']);
    expect(validateMetadata({ name: 'a', namespace: 'b' }, true)).toEqual([]);
  });
  test('of a thing in none has none', () => {
    expect(lines(validateMetadata({ name: 'a', namespace: 'b' }, false))).toEqual([
      'metadata.namespace: Forbidden: not allowed on this type',
    ]);
    expect(validateMetadata({ name: 'a' }, false)).toEqual([]);
  });
  test('goes by the name rule of its kind', () => {
    expect(lines(validateMetadata({ name: 'a' }, false, () => 'too short'))).toEqual([
      'metadata.name: Invalid value: "a": too short',
    ]);
  });
});
