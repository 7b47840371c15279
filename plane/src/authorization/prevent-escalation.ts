// Nobody hands out more than he holds: what a Role, ClusterRole or binding would give is held against what its writer
// has, unless he may escalate or bind.
import { sameJson } from '@fleetset/scheduler-core/canonical-json';
import {
  compactRules,
  formatList,
  formatRule,
  missingRules,
} from '@fleetset/scheduler-core/rbac/covers-rules';
import {
  type ClusterRole,
  type PolicyRule,
  RBAC_GROUP,
  type RoleBinding,
} from '@fleetset/scheduler-core/schema/rbac';
import { type ApiError, forbiddenRequest, notFoundObject } from '../api/api-error.ts';
import { ADMIN_GROUP, type User } from '../authentication/user.ts';
import type { Kind, KubeObject } from '../kinds/kind.ts';
import { type Authorizer, formatProblems } from './authorizer.ts';

/** Throws 403. `old` is absent when the object is new. */
export function preventEscalation(
  authorizer: Authorizer,
  user: User,
  kind: Kind,
  object: KubeObject,
  old: KubeObject | undefined,
): void {
  if (kind.group !== RBAC_GROUP || user.groups.includes(ADMIN_GROUP)) return;
  if (kind.kind === 'Role' || kind.kind === 'ClusterRole') checkRole(authorizer, user, kind, object, old);
  else checkBinding(authorizer, user, kind, object, old);
}

const EVERYTHING: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

function checkRole(
  authorizer: Authorizer,
  user: User,
  kind: Kind,
  object: KubeObject,
  old: KubeObject | undefined,
): void {
  const role = object as unknown as ClusterRole;
  const before = old as unknown as ClusterRole | undefined;
  const { name = '', namespace } = object.metadata;
  if (
    before &&
    sameJson(role.rules ?? [], before.rules ?? []) &&
    sameJson(role.aggregationRule ?? {}, before.aggregationRule ?? {})
  )
    return;
  if (allows(authorizer, user, 'escalate', kind.plural, name, namespace)) return;
  if (
    role.aggregationRule &&
    missingRules(authorizer.heldRules(user, undefined).rules, EVERYTHING).length > 0
  )
    throw refused(kind, name, 'must have cluster-admin privileges to use an aggregationRule');
  requireHeld(authorizer, user, kind, object, role.rules ?? []);
}

function checkBinding(
  authorizer: Authorizer,
  user: User,
  kind: Kind,
  object: KubeObject,
  old: KubeObject | undefined,
): void {
  const { roleRef, subjects = [] } = object as unknown as RoleBinding;
  const before = old as unknown as RoleBinding | undefined;
  const { namespace } = object.metadata;
  if (!roleRef || (before && sameJson(roleRef, before.roleRef) && sameJson(subjects, before.subjects ?? [])))
    return;
  const plural = roleRef.kind === 'ClusterRole' ? 'clusterroles' : 'roles';
  if (allows(authorizer, user, 'bind', plural, roleRef.name, namespace)) return;
  const rules = authorizer.rulesOf(roleRef, namespace);
  if (!rules) throw notFoundObject({ group: RBAC_GROUP, kind: roleRef.kind, plural }, roleRef.name);
  requireHeld(authorizer, user, kind, object, rules);
}

const allows = (
  authorizer: Authorizer,
  user: User,
  verb: string,
  resource: string,
  name: string,
  namespace: string | undefined,
): boolean =>
  authorizer.judge(user, { verb, group: RBAC_GROUP, resource, name, ...(namespace ? { namespace } : {}) })
    .allowed;

/** A role may have rules without end, and not be answered with all of them. */
const LINES_LIMIT = 100;
const LONGEST_LINE = 1000;

function requireHeld(
  authorizer: Authorizer,
  user: User,
  kind: Kind,
  { metadata }: KubeObject,
  wanted: readonly PolicyRule[],
): void {
  const { rules, problems } = authorizer.heldRules(user, metadata.namespace);
  const missing = missingRules(rules, wanted);
  if (missing.length === 0) return;
  const all = [...new Set(compactRules(missing).map(formatRule))].sort();
  const lines = all.slice(0, LINES_LIMIT).map((line) => line.slice(0, LONGEST_LINE));
  if (all.length > lines.length) lines.push(`and ${all.length - lines.length} more`);
  const found = problems.length > 0 ? `; resolution errors: ${formatProblems(problems)}` : '';
  throw refused(
    kind,
    metadata.name ?? '',
    `user ${JSON.stringify(user.name)} (groups=${formatList(user.groups)}) is attempting to grant RBAC permissions not currently held:\n${lines.join('\n')}${found}`,
  );
}

const refused = ({ group, plural }: Kind, name: string, why: string): ApiError =>
  forbiddenRequest(`${plural}.${group} ${JSON.stringify(name)} is forbidden: ${why}`, {
    name,
    group,
    kind: plural,
  });
