// Makes values of any schema: what a client may well send. Few fields at a time, from small pools, so that values
// collide and rules meet.
import type { ObjectSchema, Schema } from '@fleetset/scheduler-core/schema/schema';
import fc from 'fast-check';

const TEXTS = [
  '',
  'a',
  'web',
  'In',
  'Exists',
  'NoSchedule',
  'Always',
  'TCP',
  'RollingUpdate',
  '10%',
  '1',
  'a/b',
  '..',
];
const TIMES = ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05.678901+01:00'];
const AMOUNTS = ['0', '100m', '1', '1.5', '64Mi', '1Gi', '1e3'];

export function arbitraryOf(schema: Schema, maxFields = 4): fc.Arbitrary<unknown> {
  switch (schema.type) {
    case 'string':
      return fc.constantFrom(...(schema.format === 'date-time' ? TIMES : (schema.enum ?? TEXTS)));
    case 'integer':
      return fc.constantFrom(0, 1, 3, 30, 8080, -1, 70_000);
    case 'boolean':
      return fc.boolean();
    case 'quantity':
      return fc.constantFrom(...AMOUNTS);
    case 'int-or-string':
      return fc.constantFrom<string | number>(0, 1, 8080, '25%', 'http', '');
    case 'any':
      return fc.constantFrom<unknown>({}, { a: 1 }, 'x', null);
    case 'list':
      return fc.array(arbitraryOf(schema.items, maxFields), { maxLength: 2 });
    case 'map':
      return fc.dictionary(
        fc.constantFrom('app', 'cpu', 'memory', 'x.io/y', ''),
        arbitraryOf(schema.values, maxFields),
        {
          maxKeys: 2,
        },
      );
    case 'object':
      return arbitraryObject(schema, maxFields);
  }
}

const made = new WeakMap<ObjectSchema, fc.Arbitrary<unknown>>();

/** Required fields, though not always, and a few others. */
function arbitraryObject(schema: ObjectSchema, maxFields: number): fc.Arbitrary<unknown> {
  const known = made.get(schema);
  if (known) return known;
  const fields = Object.keys(schema.fields);
  const more =
    fields.length === 0
      ? fc.constant([])
      : fc.uniqueArray(fc.constantFrom(...fields), { maxLength: maxFields });
  const required = fc.oneof(
    { weight: 5, arbitrary: fc.constant(schema.required) },
    { weight: 1, arbitrary: fc.subarray([...schema.required]) },
  );
  const arbitrary = fc.tuple(required, more).chain(([needed, chosen]) => {
    const names = [...new Set([...needed, ...chosen])];
    return fc.record(
      Object.fromEntries(
        names.map((name) => [name, arbitraryOf(schema.fields[name] ?? { type: 'any' }, maxFields)]),
      ),
    );
  });
  made.set(schema, arbitrary);
  return arbitrary;
}
