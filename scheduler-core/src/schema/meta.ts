// Kubernetes' meta/v1: what every object carries, and label selectors.
import {
  atomic,
  boolean,
  type Infer,
  int64,
  list,
  listByKey,
  map,
  object,
  oneOf,
  string,
  time,
} from './schema.ts';

const meta = (kind: string) => `io.k8s.apimachinery.pkg.apis.meta.v1.${kind}`;

export const ownerReference = atomic(
  object(
    meta('OwnerReference'),
    {
      apiVersion: string(),
      kind: string(),
      name: string(),
      uid: string(),
      controller: boolean(),
      blockOwnerDeletion: boolean(),
    },
    ['apiVersion', 'kind', 'name', 'uid'],
  ),
);
export interface OwnerReference extends Infer<typeof ownerReference> {}

export const managedFieldsEntry = object(meta('ManagedFieldsEntry'), {
  manager: string(),
  operation: string(),
  apiVersion: string(),
  time,
  fieldsType: string(),
  fieldsV1: { type: 'any' },
  subresource: string(),
});
export interface ManagedFieldsEntry extends Infer<typeof managedFieldsEntry> {}

export const objectMeta = object(meta('ObjectMeta'), {
  name: string(),
  generateName: string(),
  namespace: string(),
  selfLink: string(),
  uid: string(),
  resourceVersion: string(),
  generation: int64(),
  creationTimestamp: time,
  deletionTimestamp: time,
  deletionGracePeriodSeconds: int64(),
  labels: map(string()),
  annotations: map(string()),
  ownerReferences: listByKey(ownerReference, 'uid'),
  finalizers: list(string(), { mergeKey: '', mapKeys: [] }),
  managedFields: list(managedFieldsEntry),
});
export interface ObjectMeta extends Infer<typeof objectMeta> {}

/** How an object is to be deleted. */
export const deleteOptions = object(meta('DeleteOptions'), {
  apiVersion: string(),
  kind: string(),
  gracePeriodSeconds: int64(),
  preconditions: object(meta('Preconditions'), { uid: string(), resourceVersion: string() }),
  orphanDependents: boolean(),
  propagationPolicy: string(),
  dryRun: list(string()),
});

const labelSelectorRequirement = object(
  meta('LabelSelectorRequirement'),
  {
    key: string(),
    operator: oneOf(['In', 'NotIn', 'Exists', 'DoesNotExist']),
    values: list(string()),
  },
  ['key', 'operator'],
);
export interface LabelSelectorRequirement extends Infer<typeof labelSelectorRequirement> {}

export const labelSelector = atomic(
  object(meta('LabelSelector'), {
    matchLabels: map(string()),
    matchExpressions: list(labelSelectorRequirement),
  }),
);
export interface LabelSelector extends Infer<typeof labelSelector> {}
