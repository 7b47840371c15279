// v1 ServiceAccount in the API. Its tokens are made on request: serviceaccounts/token.
import { serviceAccount } from '@fleetset/scheduler-core/schema/service-account';
import { validateMetadata } from '@fleetset/scheduler-core/validation/metadata';
import { AGE, NAME } from './columns.ts';
import type { Kind } from './kind.ts';

export const serviceAccountKind: Kind = {
  group: '',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  singular: 'serviceaccount',
  shortNames: ['sa'],
  namespaced: true,
  schema: serviceAccount,
  verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
  subresources: [{ name: 'token', kind: 'TokenRequest', group: 'authentication.k8s.io', verbs: ['create'] }],
  columns: [NAME, AGE],
  rules: { validate: ({ metadata }) => validateMetadata(metadata, true) },
};
