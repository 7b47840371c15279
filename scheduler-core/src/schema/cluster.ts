// scheduling.k8s.io/v1 PriorityClass, coordination.k8s.io/v1 Lease, and events.k8s.io/v1 Event: kinds of which
// fleetset keeps the objects for those who write and read them.

import { objectMeta } from './meta.ts';
import { objectReference } from './plain.ts';
import { flag, type Infer, int32, object, string, stringOrAbsent, time } from './schema.ts';

const typed = { apiVersion: string(), kind: string(), metadata: objectMeta };

export const priorityClass = object(
  'io.k8s.api.scheduling.v1.PriorityClass',
  {
    ...typed,
    value: int32(),
    globalDefault: flag,
    description: string(),
    preemptionPolicy: string({ default: 'PreemptLowerPriority' }),
  },
  ['value'],
);
export interface PriorityClass extends Infer<typeof priorityClass> {}

export const lease = object('io.k8s.api.coordination.v1.Lease', {
  ...typed,
  spec: object('io.k8s.api.coordination.v1.LeaseSpec', {
    holderIdentity: stringOrAbsent,
    leaseDurationSeconds: int32(),
    acquireTime: time,
    renewTime: time,
    leaseTransitions: int32(),
    strategy: stringOrAbsent,
    preferredHolder: stringOrAbsent,
  }),
});
export interface Lease extends Infer<typeof lease> {}

/** The same events as core/v1 has, in other words. */
export const eventV1 = object(
  'io.k8s.api.events.v1.Event',
  {
    ...typed,
    eventTime: time,
    series: object('io.k8s.api.events.v1.EventSeries', { count: int32(), lastObservedTime: time }, ['count']),
    reportingController: string(),
    reportingInstance: string(),
    action: string(),
    reason: string(),
    regarding: objectReference,
    related: objectReference,
    note: string(),
    type: string(),
    deprecatedSource: object('io.k8s.api.core.v1.EventSource', { component: string(), host: string() }),
    deprecatedFirstTimestamp: time,
    deprecatedLastTimestamp: time,
    deprecatedCount: int32(),
  },
  [],
);
export interface EventV1 extends Infer<typeof eventV1> {}
