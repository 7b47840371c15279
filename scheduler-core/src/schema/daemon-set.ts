// apps/v1: the DaemonSet and the ControllerRevisions that keep its history.

import { labelSelector, objectMeta } from './meta.ts';
import { podTemplateSpec } from './pod.ts';
import { any, type Infer, int32, int64, intOrString, listByKey, object, string, time } from './schema.ts';

const apps = (kind: string) => `io.k8s.api.apps.v1.${kind}`;

const updateStrategy = object(apps('DaemonSetUpdateStrategy'), {
  type: string(),
  rollingUpdate: object(apps('RollingUpdateDaemonSet'), {
    maxUnavailable: intOrString(),
    maxSurge: intOrString(),
  }),
});

const daemonSetSpec = object(
  apps('DaemonSetSpec'),
  {
    selector: labelSelector,
    template: podTemplateSpec,
    updateStrategy: { ...updateStrategy, default: {} },
    minReadySeconds: int32({ zeroIsUnset: true }),
    revisionHistoryLimit: int32({ default: 10 }),
  },
  ['selector', 'template'],
);
export interface DaemonSetSpec extends Infer<typeof daemonSetSpec> {}

const daemonSetCondition = object(
  apps('DaemonSetCondition'),
  { type: string(), status: string(), lastTransitionTime: time, reason: string(), message: string() },
  ['type', 'status'],
);

const daemonSetStatus = object(
  apps('DaemonSetStatus'),
  {
    currentNumberScheduled: int32(),
    numberMisscheduled: int32(),
    desiredNumberScheduled: int32(),
    numberReady: int32(),
    observedGeneration: int64(),
    updatedNumberScheduled: int32(),
    numberAvailable: int32(),
    numberUnavailable: int32(),
    collisionCount: int32(),
    conditions: listByKey(daemonSetCondition, 'type'),
  },
  ['currentNumberScheduled', 'numberMisscheduled', 'desiredNumberScheduled', 'numberReady'],
);
export interface DaemonSetStatus extends Infer<typeof daemonSetStatus> {}

export const daemonSet = object(apps('DaemonSet'), {
  apiVersion: string(),
  kind: string(),
  metadata: objectMeta,
  spec: daemonSetSpec,
  status: daemonSetStatus,
});
export interface DaemonSet extends Infer<typeof daemonSet> {}

export const controllerRevision = object(
  apps('ControllerRevision'),
  { apiVersion: string(), kind: string(), metadata: objectMeta, data: any, revision: int64() },
  ['revision'],
);
export interface ControllerRevision extends Infer<typeof controllerRevision> {}
