// Accounts, roles and reviews in protobuf.
import {
  flag,
  integer,
  type Message,
  many,
  map,
  message,
  metadata,
  one,
  readMessage,
  text,
} from './protobuf-fields.ts';

const reference: Message = {
  1: one('kind', text),
  2: one('namespace', text),
  3: one('name', text),
  4: one('uid', text),
  5: one('apiVersion', text),
  6: one('resourceVersion', text),
  7: one('fieldPath', text),
};

const rules = many(
  'rules',
  message({
    1: many('verbs', text),
    2: many('apiGroups', text),
    3: many('resources', text),
    4: many('resourceNames', text),
    5: many('nonResourceURLs', text),
  }),
);
const labelSelector: Message = {
  1: map('matchLabels', text),
  2: many(
    'matchExpressions',
    message({ 1: one('key', text), 2: one('operator', text), 3: many('values', text) }),
  ),
};
const binding: Message = {
  1: metadata,
  2: many(
    'subjects',
    message({
      1: one('kind', text),
      2: one('apiGroup', text),
      3: one('name', text),
      4: one('namespace', text),
    }),
  ),
  3: one('roleRef', message({ 1: one('apiGroup', text), 2: one('kind', text), 3: one('name', text) })),
};

const resourceAttributes = one(
  'resourceAttributes',
  message({
    1: one('namespace', text),
    2: one('verb', text),
    3: one('group', text),
    4: one('version', text),
    5: one('resource', text),
    6: one('subresource', text),
    7: one('name', text),
  }),
);
const nonResourceAttributes = one(
  'nonResourceAttributes',
  message({ 1: one('path', text), 2: one('verb', text) }),
);
/** A list of texts in a message of its own. */
const extra = map('extra', (reader) => {
  const { items = [] } = readMessage({ 1: many('items', text) }, reader, reader.uint32());
  return items;
});
const subjectAccess: Message = {
  1: metadata,
  2: one(
    'spec',
    message({
      1: resourceAttributes,
      2: nonResourceAttributes,
      3: one('user', text),
      4: many('groups', text),
      5: extra,
      6: one('uid', text),
    }),
  ),
};

/** By apiVersion and kind. */
export const AUTH_MESSAGES: { readonly [kind: string]: Message } = {
  'v1 ServiceAccount': {
    1: metadata,
    2: many('secrets', message(reference)),
    3: many('imagePullSecrets', message({ 1: one('name', text) })),
    4: one('automountServiceAccountToken', flag),
  },
  'rbac.authorization.k8s.io/v1 Role': { 1: metadata, 2: rules },
  'rbac.authorization.k8s.io/v1 ClusterRole': {
    1: metadata,
    2: rules,
    3: one('aggregationRule', message({ 1: many('clusterRoleSelectors', message(labelSelector)) })),
  },
  'rbac.authorization.k8s.io/v1 RoleBinding': binding,
  'rbac.authorization.k8s.io/v1 ClusterRoleBinding': binding,
  'authentication.k8s.io/v1 TokenRequest': {
    1: metadata,
    2: one(
      'spec',
      message({
        1: many('audiences', text),
        3: one(
          'boundObjectRef',
          message({
            1: one('kind', text),
            2: one('apiVersion', text),
            3: one('name', text),
            4: one('uid', text),
          }),
        ),
        4: one('expirationSeconds', integer),
      }),
    ),
  },
  'authentication.k8s.io/v1 TokenReview': {
    1: metadata,
    2: one('spec', message({ 1: one('token', text), 2: many('audiences', text) })),
  },
  'authentication.k8s.io/v1 SelfSubjectReview': { 1: metadata },
  'authorization.k8s.io/v1 SelfSubjectAccessReview': {
    1: metadata,
    2: one('spec', message({ 1: resourceAttributes, 2: nonResourceAttributes })),
  },
  'authorization.k8s.io/v1 SubjectAccessReview': subjectAccess,
  'authorization.k8s.io/v1 LocalSubjectAccessReview': subjectAccess,
  'authorization.k8s.io/v1 SelfSubjectRulesReview': {
    1: metadata,
    2: one('spec', message({ 1: one('namespace', text) })),
  },
};
