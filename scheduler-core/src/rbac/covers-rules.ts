// Whether somebody who holds some rules holds others too: nobody may hand out more than he has.
import type { PolicyRule } from '../schema/rbac.ts';
import { urlMatches } from './rule-allows.ts';

/** What of `wanted` the `held` rules do not cover, in the smallest pieces; empty when all is covered. */
export function missingRules(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  return wanted.flatMap(breakDown).filter((piece) => !held.some((rule) => ruleCovers(rule, piece)));
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

const hasAll = (held: readonly string[] = [], wanted: readonly string[] = []): boolean =>
  held.includes('*') || wanted.every((one) => held.includes(one));

function coversResource(held: readonly string[], resource: string): boolean {
  if (held.includes('*') || held.includes(resource)) return true;
  const [, subresource] = /^[^/]*\/(.+)$/.exec(resource) ?? [];
  return subresource !== undefined && held.includes(`*/${subresource}`);
}

/** A wanted URL may itself end in a star: whatever begins with it is covered by a shorter one. */
const coversUrl = (held: readonly string[], url: string): boolean => held.some((one) => urlMatches(one, url));

const coversNames = (held: readonly string[], wanted: readonly string[]): boolean =>
  held.length === 0 || (wanted.length > 0 && wanted.every((one) => held.includes(one)));

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
