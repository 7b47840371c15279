// People and programs other than the administrator: by impersonation, by a token, or nobody at all.
import type { ApiClient, CallOptions, Json } from './api-client.ts';
import { createApiClient } from './api-client.ts';
import type { TestPlane } from './test-plane.ts';

export const RBAC = '/apis/rbac.authorization.k8s.io/v1';

export interface Person {
  readonly call: ApiClient['call'];
  readonly close: () => void;
}

const withHeaders = (api: ApiClient, headers: { readonly [name: string]: string }): Person => ({
  call: (method, path, body, options: CallOptions = {}) =>
    api.call(method, path, body, { ...options, headers: { ...headers, ...options.headers } }),
  close: api.close,
});

/** The administrator acting as somebody. */
export const actingAs = (plane: TestPlane, user: string, group?: string): Person =>
  withHeaders(plane.api, {
    'Impersonate-User': user,
    ...(group ? { 'Impersonate-Group': group } : {}),
  });

const stranger = (plane: TestPlane): ApiClient =>
  createApiClient(() => plane.apiPort, { ca: plane.admin.ca });

export const nobody = (plane: TestPlane): Person => withHeaders(stranger(plane), {});

export const holderOf = (plane: TestPlane, token: string): Person =>
  withHeaders(stranger(plane), { Authorization: `Bearer ${token}` });

export interface Given {
  readonly namespace?: string;
  readonly rules: readonly Json[];
  readonly subjects: readonly Json[];
}

let count = 0;
/** A role of a name of its own, and a binding of it; answers the name of both. */
export async function give({ api }: TestPlane, { namespace, rules, subjects }: Given): Promise<string> {
  count += 1;
  const name = `given-${count}`;
  const scope = namespace ? `${RBAC}/namespaces/${namespace}` : RBAC;
  const [role, binding] = namespace ? ['roles', 'rolebindings'] : ['clusterroles', 'clusterrolebindings'];
  const kind = namespace ? 'Role' : 'ClusterRole';
  await api.ok('POST', `${scope}/${role}`, { metadata: { name }, rules });
  await api.ok('POST', `${scope}/${binding}`, { metadata: { name }, roleRef: { kind, name }, subjects });
  return name;
}

export const user = (name: string): Json => ({ kind: 'User', name });
export const account = (namespace: string, name: string): Json => ({
  kind: 'ServiceAccount',
  namespace,
  name,
});
export const rule = (verbs: string, resources: string, more: Json = {}): Json => ({
  verbs: verbs.split(','),
  apiGroups: [''],
  resources: resources.split(','),
  ...more,
});
