// Whether somebody who holds some rules holds others too: nobody may hand out more than he has.
import type { PolicyRule } from '../schema/rbac.ts';
import { urlMatches } from './rule-allows.ts';

/** What of `wanted` the `held` rules do not cover, in the smallest pieces; empty when all is covered. */
export function missingRules(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  const isCovered = (piece: PolicyRule) => held.some((rule) => ruleCovers(rule, piece));
  return wanted.flatMap((rule) => {
    if (isCovered(rule)) return [];
    return piecesOf(rule) > PIECES_LIMIT ? [rule] : breakDown(rule).filter((piece) => !isCovered(piece));
  });
}

/** What a rule of few words multiplies to has no end. More than people write has to be held in one rule, too. */
const PIECES_LIMIT = 10_000;

function piecesOf({
  verbs,
  apiGroups = [],
  resources = [],
  resourceNames = [],
  nonResourceURLs = [],
}: PolicyRule) {
  const things = apiGroups.length * resources.length * Math.max(1, resourceNames.length);
  return verbs.length * (things + nonResourceURLs.length);
}

/** One rule for each verb on each thing. */
function breakDown(rule: PolicyRule): PolicyRule[] {
  const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
  const onResources = apiGroups.flatMap((group) =>
    resources.flatMap((resource) =>
      (resourceNames.length > 0 ? resourceNames : [undefined]).flatMap((name) =>
        verbs.map((verb) => ({
          verbs: [verb],
          apiGroups: [group],
          resources: [resource],
          ...(name === undefined ? {} : { resourceNames: [name] }),
        })),
      ),
    ),
  );
  const onPaths = nonResourceURLs.flatMap((url) =>
    verbs.map((verb) => ({ verbs: [verb], nonResourceURLs: [url] })),
  );
  return [...onResources, ...onPaths];
}

function ruleCovers(held: PolicyRule, piece: PolicyRule): boolean {
  return (
    hasAll(held.verbs, piece.verbs) &&
    hasAll(held.apiGroups, piece.apiGroups) &&
    (piece.resources ?? []).every((resource) => coversResource(held.resources ?? [], resource)) &&
    (piece.nonResourceURLs ?? []).every((url) => coversUrl(held.nonResourceURLs ?? [], url)) &&
    coversNames(held.resourceNames ?? [], piece.resourceNames ?? [])
  );
}

/** A list of a rule is asked for as many words as another rule has: it is made a set once. */
const sets = new WeakMap<readonly string[], ReadonlySet<string>>();
function has(list: readonly string[], one: string): boolean {
  const set = sets.get(list) ?? new Set(list);
  sets.set(list, set);
  return set.has(one);
}

const hasAll = (held: readonly string[] = [], wanted: readonly string[] = []): boolean =>
  has(held, '*') || wanted.every((one) => has(held, one));

function coversResource(held: readonly string[], resource: string): boolean {
  if (has(held, '*') || has(held, resource)) return true;
  const [, subresource] = /^[^/]*\/(.+)$/.exec(resource) ?? [];
  return subresource !== undefined && has(held, `*/${subresource}`);
}

/** A wanted URL may itself end in a star: whatever begins with it is covered by a shorter one. */
const coversUrl = (held: readonly string[], url: string): boolean => held.some((one) => urlMatches(one, url));

const coversNames = (held: readonly string[], wanted: readonly string[]): boolean =>
  held.length === 0 || (wanted.length > 0 && wanted.every((one) => has(held, one)));

/** Rules about the same resource become one with all their verbs, in the order of their first. */
export function compactRules(rules: readonly PolicyRule[]): PolicyRule[] {
  const byThing = new Map<string, PolicyRule>();
  for (const { verbs, ...thing } of rules) {
    const key = JSON.stringify(thing.nonResourceURLs ? { ...thing, verbs } : thing);
    const before = byThing.get(key)?.verbs ?? [];
    byThing.set(key, { ...thing, verbs: [...new Set([...before, ...verbs])] });
  }
  return [...byThing.values()];
}

/** As Kubernetes prints it: {APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}. */
export function formatRule(rule: PolicyRule): string {
  const parts = (
    [
      ['APIGroups', rule.apiGroups],
      ['Resources', rule.resources],
      ['NonResourceURLs', rule.nonResourceURLs],
      ['ResourceNames', rule.resourceNames],
      ['Verbs', rule.verbs],
    ] as const
  ).flatMap(([name, values]) => (values && values.length > 0 ? [`${name}:${formatList(values)}`] : []));
  return `{${parts.join(', ')}}`;
}

export const formatList = (values: readonly string[]): string =>
  `[${values.map((value) => JSON.stringify(value)).join(' ')}]`;
