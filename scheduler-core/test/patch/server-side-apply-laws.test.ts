// Proves laws of server-side apply for any object of our kinds and any order of writers.
import { canonicalJson } from '@fleetset/scheduler-core/canonical-json';
import { compareFields, elementOf, partsOf } from '@fleetset/scheduler-core/patch/field-parts';
import { intersection, isEmpty } from '@fleetset/scheduler-core/patch/field-set';
import {
  type Ownership,
  trackUpdate,
  writeManagedFields,
} from '@fleetset/scheduler-core/patch/managed-fields';
import { findDoubled } from '@fleetset/scheduler-core/patch/merge-applied';
import {
  type Application,
  type Applied,
  applyConfiguration,
} from '@fleetset/scheduler-core/patch/server-side-apply';
import { daemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import { decodePartial, isRecord } from '@fleetset/scheduler-core/schema/decode';
import { node } from '@fleetset/scheduler-core/schema/node';
import type { Schema } from '@fleetset/scheduler-core/schema/schema';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { holds, isCaught } from '../property.ts';
import { arbitraryOf } from '../schema/arbitrary.ts';

type Apply = (application: Application) => Applied;
interface State {
  readonly value: unknown;
  readonly owners: readonly Ownership[];
}
const NOTHING: State = { value: {}, owners: [] };

const configs = (schema: Schema) =>
  arbitraryOf(schema)
    .map((json) => withoutIdentity(decodePartial(schema, json).value))
    .filter((config) => findDoubled(schema, config) === undefined);
/** What nobody can own is left out; the rules of it are the plane's. */
const withoutIdentity = (value: unknown): unknown => {
  if (!isRecord(value)) return {};
  const { metadata, status, apiVersion, kind, ...rest } = value;
  const { labels, annotations, finalizers } = (metadata ?? {}) as { [field: string]: unknown };
  const kept = Object.entries({ labels, annotations, finalizers }).filter(([, item]) => item !== undefined);
  return kept.length > 0 ? { ...rest, metadata: Object.fromEntries(kept) } : rest;
};
/** Counterexamples name the kind; its schema would fill pages. */
const KINDS: { readonly [kind: string]: Schema } = { DaemonSet: daemonSet, Node: node };
const kinds = fc.constantFrom(...Object.keys(KINDS));
const schemaOf = (kind: string): Schema => KINDS[kind] as Schema;
const several = (count: number) =>
  kinds.chain((kind) =>
    fc.record({
      kind: fc.constant(kind),
      configs: fc.array(configs(schemaOf(kind)), { minLength: count, maxLength: count }),
    }),
  );

const manager = (name: string, operation: 'Apply' | 'Update' = 'Apply') => ({
  name,
  operation,
  apiVersion: 'v1',
  subresource: '',
});

function applied(
  run: Apply,
  schema: Schema,
  { value, owners }: State,
  name: string,
  config: unknown,
  now = '1',
): State {
  const result = run({
    schema,
    live: value,
    config,
    owners,
    manager: manager(name),
    force: true,
    now,
  });
  if (!('value' in result)) throw new Error(JSON.stringify(result));
  return result;
}

const updated = (schema: Schema, { value, owners }: State, name: string, next: unknown): State => ({
  value: next,
  owners: trackUpdate(schema, value, next, owners, manager(name, 'Update'), '1'),
});

/** Items of lists with keys in the order of their keys. */
function sortedLists(schema: Schema | undefined, value: unknown): unknown {
  const parts = partsOf(schema, value);
  if (!parts) return value;
  if (schema?.type === 'list')
    return (value as unknown[])
      .map((item) => [elementOf(schema, item), sortedLists(schema.items, item)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, item]) => item);
  return Object.fromEntries(
    [...parts].map(([element, part]) => [element.slice(2), sortedLists(part.schema, part.values[0])]),
  );
}

/** What is there without being anything: objects, maps and lists that hold nothing. */
function withoutBare(value: unknown): unknown {
  if (Array.isArray(value))
    return value.length === 0 ? undefined : value.map((item) => withoutBare(item) ?? {});
  if (!isRecord(value)) return value;
  const entries = Object.entries(value)
    .map(([key, item]) => [key, withoutBare(item)] as const)
    .filter(([, item]) => item !== undefined);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** Two halves of a configuration; what tells items of lists apart is in both. */
function split(schema: Schema | undefined, value: unknown, coin: () => boolean): [unknown, unknown] {
  const parts = partsOf(schema, value);
  if (!parts) return [value, value];
  if (schema?.type === 'list') {
    const items = (value as unknown[]).map((item) => split(schema.items, item, coin));
    return [items.map(([left]) => left), items.map(([, right]) => right)];
  }
  const halves: [{ [key: string]: unknown }, { [key: string]: unknown }] = [{}, {}];
  for (const [element, part] of parts) {
    const key = element.slice(2);
    const inner = partsOf(part.schema, part.values[0]);
    const [left, right] = split(part.schema, part.values[0], coin);
    const side = coin();
    if (inner || side || KEYS.has(key)) halves[0][key] = left;
    if (inner || !side || KEYS.has(key)) halves[1][key] = right;
  }
  return halves;
}
/** Of all our lists. */
const KEYS = new Set([
  'name',
  'type',
  'containerPort',
  'protocol',
  'mountPath',
  'devicePath',
  'ip',
  'uid',
  'topologyKey',
  'whenUnsatisfiable',
]);

describe('for any object and any writers', () => {
  const settles = (run: Apply) =>
    fc.property(several(3), ({ kind, configs: [first, second, third] }) => {
      const schema = schemaOf(kind);
      const before = applied(run, schema, updated(schema, NOTHING, 'u', first), 'b', second);
      const once = applied(run, schema, before, 'a', third, '2');
      const twice = applied(run, schema, once, 'a', third, '3');
      expect(twice.value).toEqual(once.value);
      expect(writeManagedFields(twice.owners)).toEqual(writeManagedFields(once.owners));
    });
  test('applying the same again changes nothing, not even a time', () => {
    holds(settles(applyConfiguration), 300);
  });
  test('a mutant that puts a new time on every apply is caught', () => {
    isCaught(
      settles((application) => {
        const result = applyConfiguration(application);
        return 'value' in result
          ? { ...result, owners: result.owners.map((owner) => ({ ...owner, time: application.now })) }
          : result;
      }),
      50,
    );
  });
  test('a mutant that appends to lists is caught', () => {
    isCaught(
      settles((application) => {
        const result = applyConfiguration(application);
        return 'value' in result ? { ...result, value: doubled(result.value) } : result;
      }),
      300,
    );
  });

  const commutes = (run: Apply) =>
    fc.property(several(1), fc.infiniteStream(fc.boolean()), ({ kind, configs: [config] }, coins) => {
      const schema = schemaOf(kind);
      const [left, right] = split(schema, config, () => coins.next().value as boolean);
      const one = applied(run, schema, applied(run, schema, NOTHING, 'a', left), 'b', right);
      const other = applied(run, schema, applied(run, schema, NOTHING, 'b', right), 'a', left);
      expect(sortedLists(schema, one.value)).toEqual(sortedLists(schema, other.value));
      expect(writeManagedFields(one.owners)).toEqual(writeManagedFields(other.owners));
      expect(sortedLists(schema, one.value)).toEqual(sortedLists(schema, config));
    });
  test('those who apply different fields come to the same in any order', () => {
    holds(commutes(applyConfiguration), 300);
  });
  test('a mutant that replaces lists with keys is caught', () => {
    isCaught(
      commutes((application) => {
        const result = applyConfiguration(application);
        const wanted = (application.config as { spec?: { template?: object } }).spec?.template;
        if (!('value' in result) || !wanted) return result;
        const value = result.value as { spec: object };
        return { ...result, value: { ...value, spec: { ...value.spec, template: wanted } } };
      }),
      300,
    );
  });

  const leaves = (run: Apply) =>
    fc.property(several(2), ({ kind, configs: [first, second] }) => {
      const schema = schemaOf(kind);
      const before = applied(run, schema, NOTHING, 'a', first);
      const after = applied(run, schema, before, 'a', second);
      expect(withoutBare(sortedLists(schema, after.value))).toEqual(withoutBare(sortedLists(schema, second)));
      const shared = applied(run, schema, applied(run, schema, after, 'b', second), 'a', {});
      expect(canonicalJson(withoutBare(shared.value))).toEqual(canonicalJson(withoutBare(after.value)));
      const gone = applied(run, schema, shared, 'b', {});
      expect(withoutBare(gone.value)).toBeUndefined();
      expect(gone.owners).toEqual([]);
    });
  test('what nobody owns any more goes, and what somebody owns stays', () => {
    holds(leaves(applyConfiguration), 300);
  });
  test('a mutant that never prunes is caught', () => {
    isCaught(
      leaves((application) => applyConfiguration({ ...application, owners: others(application) })),
      50,
    );
  });
  test('a mutant that prunes what others own is caught', () => {
    isCaught(
      leaves((application) => {
        const mine = application.owners.filter((owner) => owner.manager.name === application.manager.name);
        const result = applyConfiguration({ ...application, owners: mine });
        return 'value' in result ? { ...result, owners: [...others(application), ...result.owners] } : result;
      }),
      50,
    );
  });

  const respects = (run: Apply) =>
    fc.property(several(3), ({ kind, configs: [first, second, third] }) => {
      const schema = schemaOf(kind);
      const before = updated(schema, applied(applyConfiguration, schema, NOTHING, 'a', first), 'u', second);
      const result = run({
        schema,
        live: before.value,
        config: third,
        owners: before.owners,
        manager: manager('b'),
        force: false,
        now: '2',
      });
      const { changed } = compareFields(
        schema,
        before.value,
        'value' in result ? result.value : before.value,
      );
      for (const { fields } of before.owners) expect(isEmpty(intersection(fields, changed))).toBe(true);
      if ('conflicts' in result) expect(result.conflicts.length).toBeGreaterThan(0);
    });
  test('without force, nothing that others own gets another value', () => {
    holds(respects(applyConfiguration), 300);
  });
  test('a mutant that always forces is caught', () => {
    isCaught(
      respects((application) => applyConfiguration({ ...application, force: true })),
      300,
    );
  });
});

const others = ({ owners, manager: { name } }: Application) =>
  owners.filter((owner) => owner.manager.name !== name);

/** Lists of taints twice as long. */
function doubled(value: unknown): unknown {
  const { spec } = value as { spec?: { taints?: unknown[] } };
  return spec?.taints?.length
    ? { ...(value as object), spec: { ...spec, taints: [...spec.taints, ...spec.taints] } }
    : value;
}
