// The roles and bindings that every fleet has, by Kubernetes' names and with its meaning, for the kinds served here.
import {
  type ClusterRole,
  type ClusterRoleBinding,
  type PolicyRule,
  RBAC_GROUP,
  type Subject,
} from '@fleetset/scheduler-core/schema/rbac';
import { ADMIN_GROUP, AUTHENTICATED, SERVICE_ACCOUNTS, UNAUTHENTICATED } from '../authentication/user.ts';

export type DefaultRole = Pick<ClusterRole, 'rules' | 'aggregationRule'> & {
  readonly name: string;
  readonly labels?: { readonly [key: string]: string };
};
export type DefaultBinding = Required<Pick<ClusterRoleBinding, 'roleRef' | 'subjects'>> & {
  readonly name: string;
};

const READ = ['get', 'list', 'watch'];
const WRITE = ['create', 'delete', 'deletecollection', 'patch', 'update'];
const on = (group: string, resources: readonly string[], verbs: readonly string[]): PolicyRule => ({
  verbs,
  apiGroups: [group],
  resources,
});
const at = (nonResourceURLs: readonly string[]): PolicyRule => ({ verbs: ['get'], nonResourceURLs });

const AGGREGATE = 'rbac.authorization.k8s.io/aggregate-to-';
/** `into`: the next greater role, which has all of this one. */
const aggregated = (name: string, into?: string): DefaultRole => ({
  name,
  ...(into ? { labels: { [`${AGGREGATE}${into}`]: 'true' } } : {}),
  aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [`${AGGREGATE}${name}`]: 'true' } }] },
});

const viewRules: readonly PolicyRule[] = [
  on(
    '',
    [
      'configmaps',
      'endpoints',
      'pods',
      'pods/log',
      'pods/status',
      'serviceaccounts',
      'services',
      'services/status',
      'events',
      'namespaces',
    ],
    READ,
  ),
  on('apps', ['controllerrevisions', 'daemonsets', 'daemonsets/status'], READ),
  on('events.k8s.io', ['events'], READ),
  on('discovery.k8s.io', ['endpointslices'], READ),
  on('metrics.k8s.io', ['pods', 'nodes'], READ),
  on('fleetset.dev', ['rolloutpolicies', 'rollouts', 'placements'], READ),
];

const editRules: readonly PolicyRule[] = [
  on('', ['pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy', 'secrets', 'services/proxy'], READ),
  on('', ['serviceaccounts'], ['impersonate']),
  on('', ['pods', 'pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy'], WRITE),
  on('', ['pods/eviction'], ['create']),
  on('', ['configmaps', 'events', 'secrets', 'serviceaccounts', 'services', 'services/proxy'], WRITE),
  on('', ['serviceaccounts/token'], ['create']),
  on('apps', ['daemonsets'], WRITE),
  on('coordination.k8s.io', ['leases'], [...READ, ...WRITE]),
  on('fleetset.dev', ['rolloutpolicies'], WRITE),
];

const adminRules: readonly PolicyRule[] = [
  on('authorization.k8s.io', ['localsubjectaccessreviews'], ['create']),
  on(RBAC_GROUP, ['rolebindings', 'roles'], [...READ, ...WRITE]),
];

const part = (name: string, rules: readonly PolicyRule[]): DefaultRole => ({
  name: `system:aggregate-to-${name}`,
  labels: { [`${AGGREGATE}${name}`]: 'true' },
  rules,
});

const DISCOVERY_URLS = [
  '/api',
  '/api/*',
  '/apis',
  '/apis/*',
  '/healthz',
  '/livez',
  '/openapi',
  '/openapi/*',
  '/readyz',
  '/version',
  '/version/',
];

export const DEFAULT_ROLES: readonly DefaultRole[] = [
  {
    name: 'cluster-admin',
    rules: [on('*', ['*'], ['*']), { verbs: ['*'], nonResourceURLs: ['*'] }],
  },
  aggregated('admin'),
  aggregated('edit', 'admin'),
  aggregated('view', 'edit'),
  part('admin', adminRules),
  part('edit', editRules),
  part('view', viewRules),
  { name: 'system:discovery', rules: [at(DISCOVERY_URLS)] },
  {
    name: 'system:public-info-viewer',
    rules: [at(['/healthz', '/livez', '/readyz', '/version', '/version/'])],
  },
  {
    name: 'system:monitoring',
    rules: [
      at([
        '/healthz',
        '/healthz/*',
        '/livez',
        '/livez/*',
        '/metrics',
        '/metrics/slis',
        '/readyz',
        '/readyz/*',
      ]),
    ],
  },
  {
    name: 'system:basic-user',
    rules: [
      on('authorization.k8s.io', ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'], ['create']),
      on('authentication.k8s.io', ['selfsubjectreviews'], ['create']),
    ],
  },
  {
    name: 'system:auth-delegator',
    rules: [
      on('authentication.k8s.io', ['tokenreviews'], ['create']),
      on('authorization.k8s.io', ['subjectaccessreviews'], ['create']),
    ],
  },
  {
    name: 'system:service-account-issuer-discovery',
    rules: [
      at([
        '/.well-known/openid-configuration',
        '/.well-known/openid-configuration/',
        '/openid/v1/jwks',
        '/openid/v1/jwks/',
      ]),
    ],
  },
  // What nodes may do is narrowed to their own (node-access.ts); this is for people who look, and binds nobody.
  {
    name: 'system:node',
    rules: [
      on('authentication.k8s.io', ['tokenreviews'], ['create']),
      on('authorization.k8s.io', ['subjectaccessreviews'], ['create']),
      on('', ['nodes', 'pods', 'configmaps', 'secrets'], READ),
      on('', ['serviceaccounts/token'], ['create']),
      on('', ['events'], ['create', 'patch', 'update']),
      on('events.k8s.io', ['events'], ['create', 'patch', 'update']),
      on('coordination.k8s.io', ['leases'], ['create', 'delete', 'get', 'patch', 'update']),
    ],
  },
];

const group = (name: string): Subject => ({ kind: 'Group', apiGroup: RBAC_GROUP, name });
const binding = (name: string, role: string, ...groups: readonly string[]): DefaultBinding => ({
  name,
  roleRef: { apiGroup: RBAC_GROUP, kind: 'ClusterRole', name: role },
  subjects: groups.map(group),
});
const alike = (role: string, ...groups: readonly string[]) => binding(role, role, ...groups);

export const DEFAULT_BINDINGS: readonly DefaultBinding[] = [
  alike('cluster-admin', ADMIN_GROUP),
  alike('system:discovery', AUTHENTICATED),
  alike('system:basic-user', AUTHENTICATED),
  alike('system:public-info-viewer', AUTHENTICATED, UNAUTHENTICATED),
  alike('system:monitoring', 'system:monitoring'),
  alike('system:service-account-issuer-discovery', SERVICE_ACCOUNTS),
];
