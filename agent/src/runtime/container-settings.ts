// A container of a pod template as the engine is to create it. Pure: what the node must be asked for (the
// holder's id, what a hostPath is) comes in.
import { cgroupSettings } from '@fleetset/scheduler-core/node/cgroup-settings';
import { expandVariables } from '@fleetset/scheduler-core/node/expand-variables';
import { HOLDER, type PodRecord } from '@fleetset/scheduler-core/node/pod-record';
import { oomScoreAdjust } from '@fleetset/scheduler-core/node/qos-class';
import { isConfigVolume } from '@fleetset/scheduler-core/node/volume-files';
import type { Container, VolumeMount } from '@fleetset/scheduler-core/schema/container';
import type { PodSpec } from '@fleetset/scheduler-core/schema/pod';
import type { ContainerSettings, Mount, PublishedPort } from './container-runtime.ts';

export interface SettingsInput {
  readonly pod: PodRecord;
  readonly spec: PodSpec;
  readonly attempt: number;
  /** The USER of the container's image; needed where `takesImageUser` says so. */
  readonly imageUser?: string;
  /** Of the pod's network, when it has one of its own. */
  readonly holder?: { readonly id: string; readonly attempt: number };
  readonly nodeMemoryBytes: number;
  /** The lowest score this machine may set; kernels refuse lower ones without CAP_SYS_RESOURCE. */
  readonly minOomScoreAdjust: number;
}

/** Docker's names are one for the whole engine: the pod's uid and the attempt make this one. */
const engineName = ({ pod, attempt }: SettingsInput, name: string): string =>
  `fleetset_${name}_${pod.name}_${pod.namespace}_${pod.uid}_${attempt}`;

export function holderSettings(input: SettingsInput, image: string): ContainerSettings {
  const { pod, spec, attempt } = input;
  return {
    name: engineName(input, 'POD'),
    identity: { pod, name: HOLDER, attempt },
    image,
    env: [],
    network: 'own',
    hostname: pod.name.slice(0, 63),
    mounts: [],
    ports: spec.containers.flatMap(publishedPorts),
    oomScoreAdjust: Math.max(-998, input.minOomScoreAdjust),
    ...(spec.hostIPC ? { hostIpc: true } : {}),
  };
}

function publishedPorts({ ports = [] }: Container): PublishedPort[] {
  return ports.flatMap(({ containerPort, hostPort, protocol = 'TCP', hostIP }) =>
    hostPort
      ? [
          {
            containerPort,
            hostPort,
            protocol: protocol.toLowerCase() as PublishedPort['protocol'],
            ...(hostIP ? { hostIp: hostIP } : {}),
          },
        ]
      : [],
  );
}

/** What is the pod's, and was made ready before. */
export interface Prepared {
  readonly environment: ReadonlyMap<string, string>;
  /** What each of its volumeMounts mounts, in their order. */
  readonly sources: readonly string[];
}

export function containerSettings(
  input: SettingsInput,
  container: Container,
  { environment, sources }: Prepared,
): ContainerSettings {
  const { pod, spec, attempt, holder } = input;
  const expand = (texts: readonly string[]) => texts.map((text) => expandVariables(text, environment));
  const user = userOf(spec, container, input.imageUser);
  return {
    name: engineName(input, container.name),
    identity: { pod, name: container.name, attempt, ...(holder ? { holderAttempt: holder.attempt } : {}) },
    image: container.image ?? '',
    ...(container.command?.length ? { entrypoint: expand(container.command) } : {}),
    ...(container.args?.length ? { args: expand(container.args) } : {}),
    env: [...environment].map(([name, value]) => `${name}=${value}`),
    ...(container.workingDir ? { workingDir: container.workingDir } : {}),
    ...(user === undefined ? {} : { user }),
    ...(container.tty ? { tty: true } : {}),
    ...(container.stdin ? { stdin: true } : {}),
    ...(container.stdinOnce ? { stdinOnce: true } : {}),
    network: holder ? { holderId: holder.id } : 'host',
    ...(spec.hostPID ? { hostPid: true } : {}),
    ...(spec.hostIPC ? { hostIpc: true } : {}),
    mounts: (container.volumeMounts ?? []).map((mount, index) => mountOf(spec, mount, sources[index] ?? '')),
    ports: [],
    ...cgroupSettings(container),
    oomScoreAdjust: Math.max(oomScoreAdjust(spec, container, input.nodeMemoryBytes), input.minOomScoreAdjust),
    ...securityOf(container),
    ...(spec.securityContext?.fsGroup === undefined ? {} : { groups: [spec.securityContext.fsGroup] }),
  };
}

/** The container's setting wins over the pod's. */
const identityAsked = ({ securityContext: pod }: PodSpec, { securityContext: own }: Container) => ({
  user: own?.runAsUser ?? pod?.runAsUser,
  group: own?.runAsGroup ?? pod?.runAsGroup,
});

/** A group without a user goes with the image's user; Docker alone would make it root's. */
export function takesImageUser(spec: PodSpec, container: Container): boolean {
  const { user, group } = identityAsked(spec, container);
  return user === undefined && group !== undefined;
}

function userOf(spec: PodSpec, container: Container, imageUser = ''): string | undefined {
  const { user, group } = identityAsked(spec, container);
  if (group === undefined) return user === undefined ? undefined : String(user);
  return `${user ?? (imageUser.split(':')[0] || '0')}:${group}`;
}

function mountOf({ volumes = [] }: PodSpec, mount: VolumeMount, source: string): Mount {
  const volume = volumes.find(({ name }) => name === mount.name);
  return {
    source,
    target: mount.mountPath,
    // What the agent fills is for reading, as in Kubernetes.
    readOnly: mount.readOnly === true || (volume !== undefined && isConfigVolume(volume)),
    propagation:
      mount.mountPropagation === 'Bidirectional'
        ? 'rshared'
        : mount.mountPropagation === 'HostToContainer'
          ? 'rslave'
          : 'rprivate',
  };
}

function securityOf({ securityContext = {} }: Container): Partial<ContainerSettings> {
  const { privileged, capabilities, readOnlyRootFilesystem, allowPrivilegeEscalation } = securityContext;
  return {
    ...(privileged ? { privileged: true } : {}),
    ...(capabilities?.add?.length ? { capAdd: capabilities.add } : {}),
    ...(capabilities?.drop?.length ? { capDrop: capabilities.drop } : {}),
    ...(readOnlyRootFilesystem ? { readOnlyRoot: true } : {}),
    ...(allowPrivilegeEscalation === false ? { noNewPrivileges: true } : {}),
  };
}
