// What a manifest may say in Kubernetes but this agent does not do. Said at apply time, by field: refused where
// the pod would not be what was asked for, warned about where it runs all the same.

import type { Container, Probe } from '../schema/container.ts';
import type { DaemonSet } from '../schema/daemon-set.ts';
import type { PodSpec } from '../schema/pod.ts';
import type { Volume } from '../schema/volume.ts';
import { type FieldError, forbidden } from './field-error.ts';

export interface SupportFindings {
  readonly refused: readonly FieldError[];
  readonly warnings: readonly string[];
}

const POD_REFUSED: readonly (keyof PodSpec)[] = [
  'initContainers',
  'hostname',
  'subdomain',
  'hostAliases',
  'dnsConfig',
  'readinessGates',
  'runtimeClassName',
  'overhead',
  'setHostnameAsFQDN',
  'schedulingGates',
  'resourceClaims',
  'resources',
  'hostnameOverride',
  'shareProcessNamespace',
  'imagePullSecrets',
];
const POD_WARNED: { readonly [field in keyof PodSpec]?: string } = {
  priorityClassName: 'has no effect: there is no preemption between daemon pods',
  topologySpreadConstraints: 'has no effect on a DaemonSet',
  serviceAccountName: 'no service account token is mounted into the pod',
  hostUsers: 'user namespaces are not used',
};
const POD_SECURITY_REFUSED = [
  'seLinuxOptions',
  'windowsOptions',
  'supplementalGroups',
  'fsGroup',
  'sysctls',
  'seccompProfile',
  'appArmorProfile',
] as const;
const CONTAINER_REFUSED: readonly (keyof Container)[] = [
  'envFrom',
  'volumeDevices',
  'lifecycle',
  'restartPolicy',
  'restartPolicyRules',
];
const SECURITY_REFUSED = [
  'seLinuxOptions',
  'windowsOptions',
  'procMount',
  'seccompProfile',
  'appArmorProfile',
] as const;

/** Rule 7 of the design: nothing is dropped in silence. */
export function findUnsupported(daemonSet: DaemonSet): SupportFindings {
  const pod = daemonSet.spec?.template?.spec;
  const at = 'spec.template.spec';
  if (!pod) return { refused: [], warnings: [] };
  const refused = [
    ...surge(daemonSet),
    ...present(at, pod, POD_REFUSED),
    ...present(`${at}.securityContext`, pod.securityContext ?? {}, POD_SECURITY_REFUSED),
    ...(pod.dnsPolicy === 'None' ? [unsupported(`${at}.dnsPolicy`)] : []),
    ...(pod.affinity?.podAffinity ? [unsupported(`${at}.affinity.podAffinity`)] : []),
    ...(pod.affinity?.podAntiAffinity ? [unsupported(`${at}.affinity.podAntiAffinity`)] : []),
    ...(pod.volumes ?? []).flatMap((volume, index) => volumeFindings(`${at}.volumes[${index}]`, volume)),
    ...pod.containers.flatMap((container, index) =>
      containerFindings(`${at}.containers[${index}]`, container),
    ),
  ];
  const warnings = Object.entries(POD_WARNED)
    .filter(([field]) => isSet(pod[field as keyof PodSpec]))
    .map(([field, why]) => `${at}.${field}: ${why}`);
  return { refused, warnings };
}

const unsupported = (field: string): FieldError => forbidden(field, 'not supported by fleetset');

/** Empty lists, empty objects and false ask for nothing. */
const isSet = (value: unknown): boolean =>
  value !== undefined &&
  value !== null &&
  value !== false &&
  value !== '' &&
  !(typeof value === 'object' && Object.keys(value).length === 0);

const present = <T extends object>(
  at: string,
  value: T,
  fields: readonly (keyof T & string)[],
): FieldError[] =>
  fields.filter((field) => isSet(value[field])).map((field) => unsupported(`${at}.${field}`));

function surge(daemonSet: DaemonSet): FieldError[] {
  const maxSurge = daemonSet.spec?.updateStrategy?.rollingUpdate?.maxSurge;
  return maxSurge === undefined || Number.parseInt(String(maxSurge), 10) === 0
    ? []
    : [unsupported('spec.updateStrategy.rollingUpdate.maxSurge')];
}

const volumeFindings = (at: string, volume: Volume): FieldError[] =>
  Object.keys(volume)
    .filter((key) => key !== 'name' && key !== 'hostPath')
    .map((source) => unsupported(`${at}.${source}`));

function containerFindings(at: string, container: Container): FieldError[] {
  return [
    ...present(at, container, CONTAINER_REFUSED),
    ...(container.env ?? []).flatMap((variable, index) =>
      variable.valueFrom ? [unsupported(`${at}.env[${index}].valueFrom`)] : [],
    ),
    ...(container.volumeMounts ?? []).flatMap((mount, index) =>
      present(`${at}.volumeMounts[${index}]`, mount, ['subPath', 'subPathExpr', 'recursiveReadOnly']),
    ),
    ...present(`${at}.securityContext`, container.securityContext ?? {}, SECURITY_REFUSED),
    ...probeFindings(`${at}.livenessProbe`, container.livenessProbe),
    ...probeFindings(`${at}.readinessProbe`, container.readinessProbe),
    ...probeFindings(`${at}.startupProbe`, container.startupProbe),
  ];
}

const probeFindings = (at: string, probe: Probe | undefined): FieldError[] =>
  probe ? present(at, probe, ['grpc', 'terminationGracePeriodSeconds']) : [];
