// Which fields a plan says change, and by which paths.
import { daemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import { describe, expect, it } from 'vitest';
import { changedFields, type FieldChange } from '../src/plan/changed-fields.ts';

const pod = (spec: object) => ({ spec: { template: { spec } } });
const containers = (...list: object[]) => pod({ containers: list });
const MAIN = 'spec.template.spec.containers[name="main"]';

describe('changed fields', () => {
  it.each<[string, object, object, readonly FieldChange[]]>([
    ['none', pod({ a: 1, b: 2 }), pod({ b: 2, a: 1 }), []],
    [
      'a value of an item that a key names',
      containers({ name: 'side' }, { name: 'main', image: 'a:1' }),
      containers({ name: 'side' }, { name: 'main', image: 'a:2' }),
      [{ path: `${MAIN}.image`, before: 'a:1', after: 'a:2' }],
    ],
    [
      'an item that comes and one that goes',
      containers({ name: 'main' }),
      containers({ name: 'side' }),
      [
        { path: MAIN, before: { name: 'main' } },
        { path: 'spec.template.spec.containers[name="side"]', after: { name: 'side' } },
      ],
    ],
    [
      'nothing but the order',
      containers({ name: 'a' }, { name: 'b' }),
      containers({ name: 'b' }, { name: 'a' }),
      [{ path: 'spec.template.spec.containers', before: ['"a"', '"b"'], after: ['"b"', '"a"'] }],
    ],
    [
      'a list without a key, as a whole',
      containers({ name: 'main', args: ['a'] }),
      containers({ name: 'main', args: ['b'] }),
      [{ path: `${MAIN}.args`, before: ['a'], after: ['b'] }],
    ],
    [
      'a list whose key does not tell items apart, as a whole',
      containers({ name: 'main', ports: [{ containerPort: 53 }, { containerPort: 53, protocol: 'UDP' }] }),
      containers({ name: 'main', ports: [{ containerPort: 53 }] }),
      [
        {
          path: `${MAIN}.ports`,
          before: [{ containerPort: 53 }, { containerPort: 53, protocol: 'UDP' }],
          after: [{ containerPort: 53 }],
        },
      ],
    ],
    [
      'a label whose name has dots',
      { metadata: { labels: { 'a.b/c': '1' } } },
      { metadata: { labels: {} } },
      [{ path: 'metadata.labels["a.b/c"]', before: '1' }],
    ],
    [
      'a field that becomes null',
      { spec: { x: 1 } },
      { spec: { x: null } },
      [{ path: 'spec.x', before: 1, after: null }],
    ],
  ])('%s', (_what, before, after, expected) =>
    expect(changedFields(daemonSet, before, after)).toEqual(expected),
  );
});
