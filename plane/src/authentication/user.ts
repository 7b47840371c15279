// Who a request comes from, and the names that Kubernetes gives to users and groups of its own.
export interface User {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: { readonly [key: string]: readonly string[] };
}

/** May do everything, whatever the rules say: what an administrator gets in again with. */
export const ADMIN_GROUP = 'system:masters';
export const NODES_GROUP = 'system:nodes';
export const AUTHENTICATED = 'system:authenticated';
export const UNAUTHENTICATED = 'system:unauthenticated';
export const BOOTSTRAPPERS = 'system:bootstrappers';
export const SERVICE_ACCOUNTS = 'system:serviceaccounts';

export const ANONYMOUS: User = { name: 'system:anonymous', groups: [UNAUTHENTICATED] };

const NODE_PREFIX = 'system:node:';
const ACCOUNT_NAME = /^system:serviceaccount:([^:]+):([^:]+)$/;

export const accountUserName = (namespace: string, name: string): string =>
  `system:serviceaccount:${namespace}:${name}`;
export const accountGroups = (namespace: string): string[] => [
  SERVICE_ACCOUNTS,
  `${SERVICE_ACCOUNTS}:${namespace}`,
];

/** Undefined for who is no service account. */
export function accountOfUser(userName: string): { namespace: string; name: string } | undefined {
  const [, namespace, name] = ACCOUNT_NAME.exec(userName) ?? [];
  return namespace && name ? { namespace, name } : undefined;
}

/** The node's name; undefined for who is no node. */
export const nodeOfUser = ({ name, groups }: User): string | undefined =>
  groups.includes(NODES_GROUP) && name.startsWith(NODE_PREFIX) ? name.slice(NODE_PREFIX.length) : undefined;

export const withGroups = (user: User, ...more: readonly string[]): User => ({
  ...user,
  groups: [...new Set([...user.groups, ...more])],
});
