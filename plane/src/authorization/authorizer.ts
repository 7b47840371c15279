// Who may do what: administrators everything, nodes what is their own, everybody what roles and bindings say.
import {
  type Access,
  fullResource,
  isPathAccess,
  type Verdict,
} from '@fleetset/scheduler-core/rbac/attributes';
import { ruleAllows } from '@fleetset/scheduler-core/rbac/rule-allows';
import { type PolicyRule, RBAC_GROUP } from '@fleetset/scheduler-core/schema/rbac';
import { ApiError } from '../api/api-error.ts';
import { ADMIN_GROUP, type User } from '../authentication/user.ts';
import type { Store } from '../store/store.ts';
import { nodeAllows } from './node-access.ts';
import { type Grant, openRbacIndex, type RbacIndex } from './rbac-index.ts';

export interface HeldRules {
  readonly rules: readonly PolicyRule[];
  /** Roles that bindings name and that are not there. */
  readonly problems: readonly string[];
}

export interface Authorizer {
  readonly judge: (user: User, access: Access) => Verdict;
  /** Throws 403 in Kubernetes' words. */
  readonly require: (user: User, access: Access) => void;
  /** All that roles and bindings give, in a namespace or, without one, everywhere. */
  readonly heldRules: (user: User, namespace: string | undefined) => HeldRules;
  readonly rulesOf: RbacIndex['rulesOf'];
  readonly close: () => void;
}

export function createAuthorizer(store: Store): Authorizer {
  const index = openRbacIndex(store);

  const judge = (user: User, access: Access): Verdict => {
    if (user.groups.includes(ADMIN_GROUP)) return { allowed: true, reason: '' };
    const asNode = nodeAllows(store, user, access);
    return asNode.allowed ? asNode : joined(asNode, byRoles(index, user, access));
  };
  return {
    judge,
    require: (user, access) => {
      const verdict = judge(user, access);
      if (!verdict.allowed) throw forbiddenAccess(user, access, verdict.reason);
    },
    heldRules: (user, namespace) => {
      const grants = index.grantsOf(user, namespace);
      const found = grants.map((grant) => ({ grant, rules: index.rulesOf(grant.roleRef, grant.namespace) }));
      return {
        rules: found.flatMap(({ rules }) => rules ?? []),
        problems: found.flatMap(({ grant, rules }) => (rules ? [] : [missingRole(grant)])),
      };
    },
    rulesOf: index.rulesOf,
    close: index.close,
  };
}

const joined = (first: Verdict, second: Verdict): Verdict => ({
  allowed: second.allowed,
  reason: second.allowed ? second.reason : [first.reason, second.reason].filter(Boolean).join('\n'),
});

function byRoles(index: RbacIndex, user: User, access: Access): Verdict {
  const namespace = isPathAccess(access) ? undefined : access.namespace;
  const problems: string[] = [];
  for (const grant of index.grantsOf(user, namespace)) {
    const rules = index.rulesOf(grant.roleRef, grant.namespace);
    if (!rules) problems.push(missingRole(grant));
    else if (rules.some((rule) => ruleAllows(rule, access)))
      return { allowed: true, reason: allowedBy(grant) };
  }
  return { allowed: false, reason: problems.length > 0 ? `RBAC: ${formatProblems(problems)}` : '' };
}

const missingRole = ({ roleRef }: Grant): string =>
  `${roleRef.kind.toLowerCase()}.${RBAC_GROUP} ${JSON.stringify(roleRef.name)} not found`;

export const formatProblems = (problems: readonly string[]): string => {
  const different = [...new Set(problems)];
  return different.length === 1 ? `${different[0]}` : `[${different.join(', ')}]`;
};

function allowedBy({ binding, namespace, roleRef, subject }: Grant): string {
  const by = namespace ? `RoleBinding "${binding}/${namespace}"` : `ClusterRoleBinding "${binding}"`;
  const to =
    subject.kind === 'ServiceAccount'
      ? `"${subject.name}/${subject.namespace || namespace}"`
      : `"${subject.name}"`;
  return `RBAC: allowed by ${by} of ${roleRef.kind} "${roleRef.name}" to ${subject.kind} ${to}`;
}

/** Kubernetes' words; what a browser could take for markup is escaped. */
export function forbiddenAccess(user: User, access: Access, reason: string): ApiError {
  const text = forbiddenText(user, access).replace(
    /[&<>]/g,
    (letter) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[letter] ?? '',
  );
  const message = reason === '' ? text : `${text}: ${reason}`;
  if (isPathAccess(access)) return new ApiError(403, 'Forbidden', `forbidden: ${message}`, {});
  const { group, resource, name } = access;
  const what = group === '' ? resource : `${resource}.${group}`;
  return new ApiError(
    403,
    'Forbidden',
    `${name ? `${what} ${JSON.stringify(name)}` : what} is forbidden: ${message}`,
    { ...(name ? { name } : {}), ...(group === '' ? {} : { group }), kind: resource },
  );
}

function forbiddenText({ name }: User, access: Access): string {
  const quoted = JSON.stringify;
  if (isPathAccess(access)) return `User ${quoted(name)} cannot ${access.verb} path ${quoted(access.path)}`;
  const { verb, group, namespace } = access;
  const where = namespace ? `in the namespace ${quoted(namespace)}` : 'at the cluster scope';
  return `User ${quoted(name)} cannot ${verb} resource ${quoted(fullResource(access))} in API group ${quoted(group)} ${where}`;
}
