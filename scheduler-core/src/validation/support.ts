// What a manifest may say in Kubernetes but this agent does not do. Said at apply time, by field: refused where
// the pod would not be what was asked for, warned about where it runs all the same.

import { hostPorts } from '../node/host-ports.ts';
import { DEVICES_ANNOTATION } from '../node/pod-devices.ts';
import { allContainers } from '../node/pod-record.ts';
import { parseQuantity } from '../quantity.ts';
import { allowsSurge, updateStrategyOf } from '../rollout/update-strategy.ts';
import type { Container } from '../schema/container.ts';
import type { DaemonSet } from '../schema/daemon-set.ts';
import type { PodSpec } from '../schema/pod.ts';
import type { Volume } from '../schema/volume.ts';
import { type FieldError, forbidden } from './field-error.ts';
import { machineSysctls, unsafeSysctls } from './pod-security.ts';

export interface SupportFindings {
  readonly refused: readonly FieldError[];
  readonly warnings: readonly string[];
}

const POD_REFUSED: readonly (keyof PodSpec)[] = [
  'readinessGates',
  'runtimeClassName',
  'overhead',
  'schedulingGates',
  'resourceClaims',
  'resources',
  'hostnameOverride',
  'workloadRef',
];
const POD_WARNED: { readonly [field in keyof PodSpec]?: string } = {
  priorityClassName: 'has no effect: there is no preemption between daemon pods',
  priority: 'has no effect: there is no preemption between daemon pods',
  preemptionPolicy: 'has no effect: there is no preemption between daemon pods',
  topologySpreadConstraints: 'has no effect on a DaemonSet',
};
const POD_SECURITY_REFUSED = ['windowsOptions'] as const;
const CONTAINER_REFUSED: readonly (keyof Container)[] = ['volumeDevices', 'restartPolicyRules'];
const CONTAINER_WARNED: { readonly [field in keyof Container]?: string } = {
  resizePolicy: 'has no effect: a change of resources replaces the pod',
};
const SECURITY_REFUSED = ['windowsOptions'] as const;

/** Rule 7 of the design: nothing is dropped in silence. */
export function findUnsupported(daemonSet: DaemonSet): SupportFindings {
  const pod = daemonSet.spec?.template?.spec;
  const at = 'spec.template.spec';
  if (!pod) return { refused: [], warnings: [] };
  const refused = [
    ...present(at, pod, POD_REFUSED),
    ...present(`${at}.securityContext`, pod.securityContext ?? {}, POD_SECURITY_REFUSED),
    ...strictGroups(at, pod),
    ...machineSysctls(at, pod),
    ...(pod.affinity?.podAffinity ? [unsupported(`${at}.affinity.podAffinity`)] : []),
    ...(pod.affinity?.podAntiAffinity ? [unsupported(`${at}.affinity.podAntiAffinity`)] : []),
    ...(pod.volumes ?? []).flatMap((volume, index) => volumeFindings(`${at}.volumes[${index}]`, volume)),
    ...eachContainer(at, pod, containerFindings),
  ];
  const warnings = [
    ...unsafeSysctls(at, pod),
    ...surgeOverPorts(daemonSet),
    ...warned(at, pod, POD_WARNED),
    ...((pod.os?.name ?? 'linux') === 'linux'
      ? []
      : [`${at}.os.name: agents run on linux, and reject a pod that is for ${pod.os?.name}`]),
    ...(pod.volumes ?? []).flatMap((volume, index) => volumeWarnings(`${at}.volumes[${index}]`, volume)),
    ...(pod.hostUsers === false
      ? [`${at}.hostUsers: only nodes whose engine maps users (userns-remap) run the pod`]
      : []),
    ...eachContainer(at, pod, containerWarnings),
  ];
  return { refused, warnings };
}

const eachContainer = <T>(
  at: string,
  pod: PodSpec,
  look: (at: string, container: Container) => readonly T[],
): T[] =>
  (['initContainers', 'containers'] as const).flatMap((list) =>
    (pod[list] ?? []).flatMap((container, index) => look(`${at}.${list}[${index}]`, container)),
  );

const warned = <T extends object>(
  at: string,
  value: T,
  why: { readonly [field in keyof T]?: string },
): string[] =>
  Object.entries(why)
    .filter(([field]) => isSet(value[field as keyof T]))
    .map(([field, reason]) => `${at}.${field}: ${reason}`);

const containerWarnings = (at: string, container: Container): string[] => [
  ...warned(at, container, CONTAINER_WARNED),
  ...(['limits', 'requests'] as const)
    .filter((side) => container.resources?.[side]?.['ephemeral-storage'] !== undefined)
    .map((side) => `${at}.resources.${side}[ephemeral-storage]: has no effect: the disk is not metered`),
];

/** With a group of its own the engine gives a container no group of the image, and without one all of them. */
function strictGroups(at: string, pod: PodSpec): FieldError[] {
  const { supplementalGroupsPolicy, runAsGroup } = pod.securityContext ?? {};
  const hasGroup = ({ securityContext }: Container) =>
    (securityContext?.runAsGroup ?? runAsGroup) !== undefined;
  if (supplementalGroupsPolicy !== 'Strict' || allContainers(pod).every(hasGroup)) return [];
  return [
    forbidden(
      `${at}.securityContext.supplementalGroupsPolicy`,
      'Strict needs a runAsGroup, of the pod or of each container: without one Docker adds the groups of the image',
    ),
  ];
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

/** A port of the node is had by one pod at a time: the new one waits for it in vain, and the update fails. */
function surgeOverPorts(daemonSet: DaemonSet): string[] {
  const { template } = daemonSet.spec ?? {};
  if (!template || !allowsSurge(updateStrategyOf(daemonSet))) return [];
  const ports = [...hostPorts(template)];
  if (ports.length === 0) return [];
  return [
    `spec.updateStrategy.rollingUpdate.maxSurge: the new pod runs beside the old one: an update that keeps a port of the node (${ports.join(', ')}) fails`,
  ];
}

const VOLUMES = ['hostPath', 'emptyDir', 'configMap', 'secret', 'downwardAPI', 'projected'];
const PROJECTED = ['configMap', 'secret', 'downwardAPI', 'serviceAccountToken'];

function volumeFindings(at: string, volume: Volume): FieldError[] {
  const { medium = '' } = volume.emptyDir ?? {};
  return [
    ...Object.keys(volume)
      .filter((key) => key !== 'name' && !VOLUMES.includes(key))
      .map((source) => unsupported(`${at}.${source}`)),
    ...(medium === '' || medium === 'Memory' ? [] : [unsupported(`${at}.emptyDir.medium`)]),
    ...(volume.projected?.sources ?? []).flatMap((source, index) =>
      Object.keys(source)
        .filter((kind) => !PROJECTED.includes(kind))
        .map((kind) => unsupported(`${at}.projected.sources[${index}].${kind}`)),
    ),
  ];
}

const volumeWarnings = (at: string, { emptyDir, hostPath }: Volume): string[] => [
  ...(emptyDir?.sizeLimit && emptyDir.medium !== 'Memory'
    ? [`${at}.emptyDir.sizeLimit: has no effect: the disk is not metered`]
    : []),
  ...(/^\/+var\/+lib\/+kubelet(\/|$)/.test(hostPath?.path ?? '')
    ? [
        `${at}.hostPath.path: there is no kubelet on the node: this directory holds nothing of its pods, and a device plugin or CSI driver finds nobody to register with`,
      ]
    : []),
];

function containerFindings(at: string, container: Container): FieldError[] {
  return [
    ...present(at, container, CONTAINER_REFUSED),
    ...present(`${at}.resources`, container.resources ?? {}, ['claims']),
    ...resourceFindings(`${at}.resources.limits`, container.resources?.limits),
    ...(container.env ?? []).flatMap((variable, index) =>
      present(`${at}.env[${index}].valueFrom`, variable.valueFrom ?? {}, ['fileKeyRef']),
    ),
    // What the engine does by itself is all that is possible.
    ...(container.volumeMounts ?? []).flatMap((mount, index) =>
      mount.recursiveReadOnly === 'Enabled'
        ? present(`${at}.volumeMounts[${index}]`, mount, ['recursiveReadOnly'])
        : [],
    ),
    ...present(`${at}.securityContext`, container.securityContext ?? {}, SECURITY_REFUSED),
  ];
}

/** A limit is enough to look at: those that are refused cannot be requested without one. None of it asks for nothing. */
const resourceFindings = (at: string, limits: { readonly [name: string]: string } = {}): FieldError[] =>
  Object.entries(limits)
    .filter(([name, amount]) => !METERED.includes(name) && parseQuantity(amount)?.nano !== 0n)
    .map(([name]) =>
      name.startsWith('hugepages-')
        ? forbidden(`${at}[${name}]`, 'not supported by fleetset: Docker cannot limit huge pages')
        : forbidden(
            `${at}[${name}]`,
            `not supported by fleetset: no device plugin hands it out; the template's annotation ${DEVICES_ANNOTATION} gives devices by their paths`,
          ),
    );
const METERED = ['cpu', 'memory', 'ephemeral-storage'];
