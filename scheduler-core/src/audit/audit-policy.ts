// Which requests are kept in the audit log, and how much of them: the first rule that matches says it, as in Kubernetes.
import { type Access, fullResource, isPathAccess, type ResourceAccess } from '../rbac/attributes.ts';
import { urlMatches } from '../rbac/rule-allows.ts';
import type { AuditPolicy, AuditRule, GroupResources } from '../schema/audit-policy.ts';
import { type FieldError, forbidden, invalid, notSupported, required } from '../validation/field-error.ts';

export const AUDIT_LEVELS = ['None', 'Metadata', 'Request', 'RequestResponse'] as const;
export type AuditLevel = (typeof AUDIT_LEVELS)[number];

export const AUDIT_STAGES = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic'] as const;
export type AuditStage = (typeof AUDIT_STAGES)[number];

export interface AuditScope {
  readonly level: AuditLevel;
  readonly omitStages: readonly string[];
  readonly omitManagedFields: boolean;
}

export interface Audited {
  /** Absent: nobody that is known. */
  readonly user?: { readonly name: string; readonly groups: readonly string[] };
  readonly access: Access;
}

/** What no rule matches is not kept. */
export function auditScope(policy: AuditPolicy, audited: Audited): AuditScope {
  const rule = policy.rules?.find((candidate) => ruleMatches(candidate, audited));
  return {
    level: (rule?.level as AuditLevel | undefined) ?? 'None',
    omitStages: [...(policy.omitStages ?? []), ...(rule?.omitStages ?? [])],
    omitManagedFields: rule?.omitManagedFields ?? policy.omitManagedFields ?? false,
  };
}

/** An empty list is about everything. */
const among = (list: readonly string[] | undefined, value: string): boolean =>
  !list?.length || list.includes(value);

function ruleMatches(rule: AuditRule, { user, access }: Audited): boolean {
  if (!among(rule.users, user?.name ?? '')) return false;
  if (rule.userGroups?.length && !rule.userGroups.some((group) => user?.groups.includes(group))) return false;
  if (!among(rule.verbs, access.verb)) return false;
  if (rule.namespaces?.length || rule.resources?.length)
    return !isPathAccess(access) && resourceMatches(rule, access);
  if (rule.nonResourceURLs?.length)
    return isPathAccess(access) && rule.nonResourceURLs.some((url) => urlMatches(url, access.path));
  return true;
}

/** What is in no namespace is in the one whose name is empty. */
const resourceMatches = ({ namespaces, resources }: AuditRule, access: ResourceAccess): boolean =>
  among(namespaces, access.namespace ?? '') &&
  (!resources?.length || resources.some((one) => groupMatches(one, access)));

function groupMatches(
  { group = '', resources, resourceNames }: GroupResources,
  access: ResourceAccess,
): boolean {
  if (group !== access.group) return false;
  if (!resources?.length) return true;
  return among(resourceNames, access.name ?? '') && resources.some((one) => namesResource(one, access));
}

/** "pods" is not pods/log: subresources are named in full, by "pods/*" or by a star and a slash before them. */
const namesResource = (one: string, access: ResourceAccess): boolean =>
  one === '*' ||
  one === fullResource(access) ||
  (one.startsWith('*/') && access.subresource === one.slice(2)) ||
  (one.endsWith('/*') && access.resource === one.slice(0, -2));

export function validateAuditPolicy(policy: AuditPolicy): FieldError[] {
  const rules = policy.rules ?? [];
  return [
    ...(policy.apiVersion === 'audit.k8s.io/v1'
      ? []
      : [notSupported('apiVersion', policy.apiVersion ?? '', ['audit.k8s.io/v1'])]),
    ...(policy.kind === 'Policy' ? [] : [notSupported('kind', policy.kind ?? '', ['Policy'])]),
    ...(rules.length === 0 ? [required('rules', 'a policy without rules keeps nothing')] : []),
    ...stageErrors('omitStages', policy.omitStages),
    ...rules.flatMap((rule, index) => ruleErrors(`rules[${index}]`, rule)),
  ];
}

const stageErrors = (field: string, stages: readonly string[] = []): FieldError[] =>
  stages.flatMap((stage, index) =>
    (AUDIT_STAGES as readonly string[]).includes(stage)
      ? []
      : [notSupported(`${field}[${index}]`, stage, AUDIT_STAGES)],
  );

function ruleErrors(field: string, rule: AuditRule): FieldError[] {
  const { level, namespaces = [], resources = [], nonResourceURLs = [] } = rule;
  return [
    ...levelErrors(`${field}.level`, level),
    ...(nonResourceURLs.length > 0 && namespaces.length + resources.length > 0
      ? [
          forbidden(
            `${field}.nonResourceURLs`,
            'rules cannot apply to both regular resources and non-resource URLs',
          ),
        ]
      : []),
    ...nonResourceURLs.flatMap((url, index) => urlErrors(`${field}.nonResourceURLs[${index}]`, url)),
    ...resources.flatMap((one, index) => groupErrors(`${field}.resources[${index}]`, one)),
    ...stageErrors(`${field}.omitStages`, rule.omitStages),
  ];
}

function levelErrors(field: string, level: string): FieldError[] {
  if (level === '') return [required(field)];
  return (AUDIT_LEVELS as readonly string[]).includes(level)
    ? []
    : [notSupported(field, level, AUDIT_LEVELS)];
}

function urlErrors(field: string, url: string): FieldError[] {
  if (url === '*') return [];
  if (!url.startsWith('/'))
    return [invalid(field, url, "non-resource URL rules must begin with a '/' character")];
  return url.slice(0, -1).includes('*')
    ? [invalid(field, url, 'non-resource URL wildcards must be the final character of the rule')]
    : [];
}

function groupErrors(
  field: string,
  { group = '', resources = [], resourceNames = [] }: GroupResources,
): FieldError[] {
  return [
    ...(group.includes('/')
      ? [invalid(`${field}.group`, group, 'must be the name of a group, without a version')]
      : []),
    ...(resourceNames.length > 0 && resources.length === 0
      ? [
          invalid(
            `${field}.resourceNames`,
            resourceNames,
            'using resourceNames requires at least one resource',
          ),
        ]
      : []),
  ];
}
