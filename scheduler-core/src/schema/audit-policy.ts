// Kubernetes' audit.k8s.io/v1 Policy: what is kept of which requests.
import { boolean, type Infer, list, object, string } from './schema.ts';

const audit = (kind: string) => `io.k8s.apiserver.audit.v1.${kind}`;

const groupResources = object(audit('GroupResources'), {
  group: string(),
  resources: list(string()),
  resourceNames: list(string()),
});
export interface GroupResources extends Infer<typeof groupResources> {}

const policyRule = object(
  audit('PolicyRule'),
  {
    level: string(),
    users: list(string()),
    userGroups: list(string()),
    verbs: list(string()),
    resources: list(groupResources),
    namespaces: list(string()),
    nonResourceURLs: list(string()),
    omitStages: list(string()),
    omitManagedFields: boolean(),
  },
  ['level'],
);
export interface AuditRule extends Infer<typeof policyRule> {}

/** A file, not an object that is served: of its metadata nothing is read. */
export const auditPolicy = object(
  audit('Policy'),
  {
    apiVersion: string(),
    kind: string(),
    metadata: object(audit('PolicyMeta'), { name: string(), creationTimestamp: string() }),
    rules: list(policyRule),
    omitStages: list(string()),
    omitManagedFields: boolean(),
  },
  ['apiVersion', 'kind', 'rules'],
);
export interface AuditPolicy extends Infer<typeof auditPolicy> {}
