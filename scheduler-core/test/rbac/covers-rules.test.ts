// Who hands out rules must hold them: the check against its meaning, which is what the rules allow.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Access } from '../../src/rbac/attributes.ts';
import { compactRules, formatRule, missingRules } from '../../src/rbac/covers-rules.ts';
import { ruleAllows } from '../../src/rbac/rule-allows.ts';
import type { PolicyRule } from '../../src/schema/rbac.ts';
import { holds, isCaught } from '../property.ts';

const some = (values: readonly string[]) => fc.uniqueArray(fc.constantFrom(...values), { minLength: 1 });
const resourceRule: fc.Arbitrary<PolicyRule> = fc.record({
  verbs: some(['get', 'list', 'create', '*']),
  apiGroups: some(['', 'apps', '*']),
  resources: some(['pods', 'pods/log', 'secrets', '*/log', '*']),
  resourceNames: fc.uniqueArray(fc.constantFrom('x', 'y')),
});
const pathRule: fc.Arbitrary<PolicyRule> = fc.record({
  verbs: some(['get', 'post', '*']),
  nonResourceURLs: some(['/a', '/a/*', '/a/b', '/a/b/*', '*']),
});
const rules = fc.array(fc.oneof(resourceRule, pathRule), { maxLength: 4 });
const access: fc.Arbitrary<Access> = fc.oneof(
  fc
    .record({
      verb: fc.constantFrom('get', 'list', 'create', 'delete'),
      group: fc.constantFrom('', 'apps', 'other'),
      resource: fc.constantFrom('pods', 'secrets', 'nodes'),
      subresource: fc.constantFrom('', 'log', 'exec'),
      name: fc.constantFrom('x', 'y', 'z'),
    })
    .map(({ subresource, ...rest }) => ({ ...rest, ...(subresource ? { subresource } : {}) })),
  fc.record({
    verb: fc.constantFrom('get', 'post', 'put'),
    path: fc.constantFrom('/a', '/a/b', '/a/b/c', '/z'),
  }),
);
const allow = (held: readonly PolicyRule[], asked: Access): boolean =>
  held.some((rule) => ruleAllows(rule, asked));

const givesNothingNew = (missing: typeof missingRules) =>
  fc.property(rules, rules, access, (held, wanted, asked) => {
    fc.pre(missing(held, wanted).length === 0);
    if (allow(wanted, asked)) expect(allow(held, asked)).toBe(true);
  });

describe('rules that are covered', () => {
  it('allow nothing that the holder may not do himself', () => {
    holds(givesNothingNew(missingRules), 5000);
    const blindToNames: typeof missingRules = (held, wanted) =>
      missingRules(
        held.map(({ resourceNames, ...rest }) => rest),
        wanted,
      );
    isCaught(givesNothingNew(blindToNames), 5000);
  });

  it('are all covered by themselves, and by themselves together with what was missing', () => {
    const madeWhole = (compact: typeof compactRules) =>
      fc.property(rules, rules, (held, wanted) => {
        expect(missingRules(held, held)).toEqual([]);
        expect(missingRules([...held, ...compact(missingRules(held, wanted))], wanted)).toEqual([]);
      });
    holds(madeWhole(compactRules), 500);
    isCaught(
      madeWhole((missing) => compactRules(missing).slice(1)),
      500,
    );
  });
});

describe('what is missing', () => {
  const rule = (more: Partial<PolicyRule>): PolicyRule => ({
    verbs: ['get'],
    apiGroups: [''],
    resources: ['pods'],
    ...more,
  });
  it.each<[string, PolicyRule[], PolicyRule[], string[]]>([
    [
      'is told by verb',
      [rule({})],
      [rule({ verbs: ['get', 'list', 'watch'] })],
      ['{APIGroups:[""], Resources:["pods"], Verbs:["list" "watch"]}'],
    ],
    [
      'is all of a thing that is held by name only',
      [rule({ resourceNames: ['x'] })],
      [rule({})],
      ['{APIGroups:[""], Resources:["pods"], Verbs:["get"]}'],
    ],
    [
      'is the one name that is not held',
      [rule({ resourceNames: ['x'] })],
      [rule({ resourceNames: ['x', 'y'] })],
      ['{APIGroups:[""], Resources:["pods"], ResourceNames:["y"], Verbs:["get"]}'],
    ],
    [
      'is a star that is only held piece by piece',
      [rule({})],
      [rule({ verbs: ['*'] })],
      ['{APIGroups:[""], Resources:["pods"], Verbs:["*"]}'],
    ],
    [
      'is nothing under a star for the subresource',
      [rule({ resources: ['*/log'] })],
      [rule({ resources: ['pods/log'] })],
      [],
    ],
    [
      'is a wider path',
      [{ verbs: ['get'], nonResourceURLs: ['/a/*'] }],
      [{ verbs: ['get'], nonResourceURLs: ['/a*'] }],
      ['{NonResourceURLs:["/a*"], Verbs:["get"]}'],
    ],
  ])('%s', (_, held, wanted, expected) => {
    expect(compactRules(missingRules(held, wanted)).map(formatRule)).toEqual(expected);
  });
});

describe('a rule that multiplies to more than anybody could look through', () => {
  const words = (letter: string) => Array.from({ length: 5000 }, (_, index) => `${letter}${index}`);
  const huge: PolicyRule = { verbs: words('v'), apiGroups: words('g'), resources: words('r') };
  const named: PolicyRule = { ...huge, apiGroups: [''], resources: ['a'], resourceNames: words('n') };

  it('is held by who holds one as great, and else told as it is', () => {
    const everything = { verbs: ['*'], apiGroups: ['*'], resources: ['*'] };
    for (const wanted of [huge, named]) {
      expect(missingRules([wanted], [wanted])).toEqual([]);
      expect(missingRules([everything], [wanted])).toEqual([]);
      expect(missingRules([{ ...everything, verbs: words('v').slice(1) }], [wanted])).toEqual([wanted]);
    }
  });

  it('gives nothing when it is for nothing', () => {
    expect(missingRules([], [{ ...huge, resources: [] }])).toEqual([]);
  });
});
