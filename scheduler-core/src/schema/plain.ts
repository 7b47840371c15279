// The kinds that are only kept: Namespace, ConfigMap, Secret, Event, and Kubernetes' Lease shape for readers.

import { objectMeta } from './meta.ts';
import {
  any,
  atomic,
  boolean,
  bytes,
  type Infer,
  int32,
  list,
  listByKey,
  map,
  object,
  string,
  time,
} from './schema.ts';

const core = (kind: string) => `io.k8s.api.core.v1.${kind}`;
const typed = { apiVersion: string(), kind: string(), metadata: objectMeta };

const namespaceCondition = object(
  core('NamespaceCondition'),
  { type: string(), status: string(), lastTransitionTime: time, reason: string(), message: string() },
  ['type', 'status'],
);
export const namespace = object(core('Namespace'), {
  ...typed,
  spec: object(core('NamespaceSpec'), { finalizers: list(string()) }),
  status: object(core('NamespaceStatus'), {
    phase: string(),
    conditions: listByKey(namespaceCondition, 'type'),
  }),
});
export interface Namespace extends Infer<typeof namespace> {}

export const configMap = object(core('ConfigMap'), {
  ...typed,
  immutable: boolean(),
  data: map(string()),
  binaryData: map(bytes),
});
export interface ConfigMap extends Infer<typeof configMap> {}

export const secret = object(core('Secret'), {
  ...typed,
  immutable: boolean(),
  data: map(bytes),
  stringData: map(string()),
  type: string({ default: 'Opaque' }),
});
export interface Secret extends Infer<typeof secret> {}

export const objectReference = atomic(
  object(core('ObjectReference'), {
    kind: string(),
    namespace: string(),
    name: string(),
    uid: string(),
    apiVersion: string(),
    resourceVersion: string(),
    fieldPath: string(),
  }),
);
export interface ObjectReference extends Infer<typeof objectReference> {}

export const event = object(
  core('Event'),
  {
    ...typed,
    involvedObject: objectReference,
    reason: string(),
    message: string(),
    source: object(core('EventSource'), { component: string(), host: string() }),
    firstTimestamp: time,
    lastTimestamp: time,
    count: int32(),
    type: string(),
    eventTime: time,
    series: any,
    action: string(),
    related: objectReference,
    reportingComponent: string(),
    reportingInstance: string(),
  },
  ['involvedObject'],
);
export interface Event extends Infer<typeof event> {}
