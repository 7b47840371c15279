// The node's pods as kubelet's /pods shows them: a v1 PodList, from the last report and the templates. Values that come
// from Secrets are not in it.
import type { NodeReport, PodReport } from '@fleetset/proto/gen/fleetset/v1/node';
import type { PodTemplateSpec } from '@fleetset/scheduler-core/schema/pod';

export interface PodListInput {
  readonly nodeName: string;
  readonly report: NodeReport;
  readonly templateOf: (podUid: string) => PodTemplateSpec | undefined;
}

export const podList = (input: PodListInput): object => ({
  kind: 'PodList',
  apiVersion: 'v1',
  metadata: {},
  items: input.report.pods.map((pod) => podOf(input, pod)),
});

function podOf({ nodeName, templateOf }: PodListInput, report: PodReport): object {
  const { metadata, spec } = templateOf(report.uid) ?? {};
  return {
    metadata: {
      name: report.name,
      namespace: report.namespace,
      uid: report.uid,
      creationTimestamp: report.createdAt,
      labels: { ...metadata?.labels, 'controller-revision-hash': report.revision },
      ...(metadata?.annotations ? { annotations: metadata.annotations } : {}),
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'DaemonSet',
          name: report.daemonSetName,
          uid: report.daemonSetUid,
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
      ...(report.terminating ? { deletionGracePeriodSeconds: report.graceSeconds } : {}),
    },
    spec: { ...(spec ?? { containers: [] }), nodeName },
    status: JSON.parse(report.statusJson || '{}') as object,
  };
}
