// Whether a rule of a Role or ClusterRole allows a request: RBAC's matching, no more and no less.
import type { PolicyRule } from '../schema/rbac.ts';
import { type Access, fullResource, isPathAccess, type ResourceAccess } from './attributes.ts';

const ALL = '*';

export function ruleAllows(rule: PolicyRule, access: Access): boolean {
  if (!names(rule.verbs, access.verb)) return false;
  if (isPathAccess(access)) return (rule.nonResourceURLs ?? []).some((url) => urlMatches(url, access.path));
  return (
    names(rule.apiGroups, access.group) && resourceMatches(rule, access) && nameMatches(rule, access.name)
  );
}

const names = (list: readonly string[] | undefined, value: string): boolean =>
  list?.some((one) => one === ALL || one === value) ?? false;

/** "pods/log" is another resource than "pods"; "*" is all of both, and any subresource of that name is written with a star and a slash before it. */
function resourceMatches({ resources = [] }: PolicyRule, access: ResourceAccess): boolean {
  const full = fullResource(access);
  return resources.some(
    (one) =>
      one === ALL || one === full || (access.subresource !== undefined && one === `*/${access.subresource}`),
  );
}

/** A rule with names allows nothing that has none: no create, and no list but by name. */
const nameMatches = ({ resourceNames = [] }: PolicyRule, name: string | undefined): boolean =>
  resourceNames.length === 0 || (name !== undefined && resourceNames.includes(name));

/** A star counts at the end, and there for any rest. */
export const urlMatches = (url: string, path: string): boolean =>
  url === ALL || url === path || (url.endsWith(ALL) && path.startsWith(url.replace(/\*+$/, '')));
