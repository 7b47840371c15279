// A Pod object from what its node reports and the template it was born from.

import type { PodReport } from '@fleetset/proto/gen/fleetset/v1/node';
import { accountName, withAccount } from '@fleetset/scheduler-core/node/service-account';
import { REVISION_LABEL, revisionTemplate } from '@fleetset/scheduler-core/revision-history';
import type { Container } from '@fleetset/scheduler-core/schema/container';
import type { ControllerRevision } from '@fleetset/scheduler-core/schema/daemon-set';
import type {
  ContainerStatus,
  PodSpec,
  PodStatus,
  PodTemplateSpec,
} from '@fleetset/scheduler-core/schema/pod';
import { daemonTolerations } from '@fleetset/scheduler-core/taint-toleration';
import { utcText } from '@fleetset/scheduler-core/utc-text';
import type { KubeObject } from '../kinds/kind.ts';

/** The DaemonSet a pod belongs to. */
export interface PodOwner {
  readonly uid: string;
  readonly name: string;
}

/**
 * `owner`: absent when its DaemonSet was deleted without it. `before`: the Pod as it was mirrored last. `revision` is
 * absent when it is no longer known; what came from its template stays as it was then.
 */
export function composePod(
  report: PodReport,
  nodeName: string,
  owner: PodOwner | undefined,
  revision: ControllerRevision | undefined,
  before: KubeObject | undefined,
  status: PodStatus,
  nowText: string,
): KubeObject {
  const template = revision && revisionTemplate(revision);
  const spec = template?.spec ? podSpecOnNode(admitted(template, report), nodeName) : knownSpec(before);
  const { labels, annotations } = template ? (template.metadata ?? {}) : (before?.metadata ?? {});
  const deletion = deletionOf(report, before, nowText);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: before?.metadata.name ?? report.name,
      generateName: `${report.daemonSetName}-`,
      namespace: report.namespace,
      uid: report.uid,
      creationTimestamp: report.createdAt,
      labels: { ...labels, [REVISION_LABEL]: report.revision },
      ...(annotations ? { annotations } : {}),
      ...deletion,
      ...(owner ? { ownerReferences: [ownerReference(owner)] } : {}),
    },
    spec: spec ?? specFromStatus(status, nodeName),
    status,
  };
}

/** One that was made of a status that told of no container is none. */
function knownSpec(before: KubeObject | undefined): PodSpec | undefined {
  const spec = before?.spec as PodSpec | undefined;
  return spec?.containers.length ? spec : undefined;
}

/** What can be told of a pod that a plane which was killed has forgotten, and whose template is gone. */
function specFromStatus(status: PodStatus, nodeName: string): PodSpec {
  const named = ({ name, image = '' }: ContainerStatus): Container => ({ name, image });
  // Only a sidecar is ready while it runs.
  const initNamed = (one: ContainerStatus): Container =>
    one.ready && one.state?.running ? { ...named(one), restartPolicy: 'Always' } : named(one);
  const { initContainerStatuses: inits = [], containerStatuses = [] } = status;
  return {
    nodeName,
    ...(inits.length > 0 ? { initContainers: inits.map(initNamed) } : {}),
    containers: containerStatuses.map(named),
  };
}

const ownerReference = ({ name, uid }: PodOwner) => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  name,
  uid,
  controller: true,
  blockOwnerDeletion: true,
});

/** Set when the deletion is first seen, and kept. */
function deletionOf(report: PodReport, before: KubeObject | undefined, nowText: string) {
  const { deletionTimestamp, deletionGracePeriodSeconds } = before?.metadata ?? {};
  if (deletionTimestamp)
    return { deletionTimestamp, deletionGracePeriodSeconds: deletionGracePeriodSeconds ?? 0 };
  if (!report.terminating) return {};
  const at = utcText(Date.parse(nowText) + report.graceSeconds * 1000);
  return { deletionTimestamp: at, deletionGracePeriodSeconds: report.graceSeconds };
}

/** What admission makes of it: see service-account.ts. */
function admitted(template: PodTemplateSpec, report: PodReport): PodSpec {
  const { spec } = withAccount(template, report);
  const account = accountName(spec);
  return { ...(spec ?? { containers: [] }), serviceAccountName: account, serviceAccount: account };
}

/** Rules 4, 15, 76 and 77: what Kubernetes makes of a template on its way to a node. */
function podSpecOnNode(spec: PodSpec, nodeName: string): PodSpec {
  const onNode = (container: Container) => containerOnNode(container, spec.hostNetwork ?? false);
  const nodeSelectorTerms = [
    { matchFields: [{ key: 'metadata.name', operator: 'In' as const, values: [nodeName] }] },
  ];
  return {
    ...spec,
    nodeName,
    affinity: {
      ...spec.affinity,
      nodeAffinity: {
        ...spec.affinity?.nodeAffinity,
        requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms },
      },
    },
    tolerations: daemonTolerations(spec.tolerations, spec.hostNetwork ?? false),
    ...(spec.initContainers ? { initContainers: spec.initContainers.map(onNode) } : {}),
    containers: spec.containers.map(onNode),
  };
}

function containerOnNode(container: Container, hostNetwork: boolean): Container {
  const { limits, requests } = container.resources ?? {};
  return {
    ...container,
    ...(limits ? { resources: { ...container.resources, requests: { ...limits, ...requests } } } : {}),
    ...(hostNetwork && container.ports
      ? { ports: container.ports.map((port) => ({ ...port, hostPort: port.containerPort })) }
      : {}),
  };
}
