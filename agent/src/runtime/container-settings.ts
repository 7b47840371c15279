// A container of a pod template as the engine is to create it. Pure: what the node must be asked for (the
// holder's id, what a hostPath is) comes in.
import { posix } from 'node:path';
import { cgroupSettings } from '@fleetset/scheduler-core/node/cgroup-settings';
import { expandVariables } from '@fleetset/scheduler-core/node/expand-variables';
import { oomScoreAdjust } from '@fleetset/scheduler-core/node/qos-class';
import { isConfigVolume } from '@fleetset/scheduler-core/node/volume-files';
import type { Container, VolumeMount } from '@fleetset/scheduler-core/schema/container';
import type { PodSpec } from '@fleetset/scheduler-core/schema/pod';
import type { ContainerSettings, Mount } from './container-runtime.ts';
import { joinedSettings } from './holder-settings.ts';
import { securitySettings } from './security-settings.ts';
import { engineName, type SettingsInput } from './settings-input.ts';

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
    ...(container.lifecycle?.stopSignal ? { stopSignal: container.lifecycle.stopSignal } : {}),
    ...joinedSettings(input),
    mounts: mountsOf(input, container, sources),
    ports: [],
    ...cgroupSettings(container),
    oomScoreAdjust: Math.max(oomScoreAdjust(spec, container, input.nodeMemoryBytes), input.minOomScoreAdjust),
    ...securitySettings(input, container),
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

/** Unless a volume is mounted there. Of several at one place the last covers the others; Docker would refuse them. */
function mountsOf(
  { spec, terminationLog }: SettingsInput,
  { volumeMounts = [], terminationMessagePath }: Container,
  sources: readonly string[],
): Mount[] {
  const log: Mount[] =
    terminationMessagePath && terminationLog !== undefined
      ? [
          {
            source: terminationLog,
            target: absolute(terminationMessagePath),
            readOnly: false,
            propagation: 'rprivate',
          },
        ]
      : [];
  const mounts = volumeMounts.map((mount, index) => mountOf(spec, mount, sources[index] ?? ''));
  return [...new Map([...log, ...mounts].map((mount) => [mount.target, mount])).values()];
}

/** A path in a container is meant from its root, as in Kubernetes; Docker asks for the slash. */
const absolute = (path: string): string => posix.resolve('/', path);

function mountOf({ volumes = [] }: PodSpec, mount: VolumeMount, source: string): Mount {
  const volume = volumes.find(({ name }) => name === mount.name);
  return {
    source,
    target: absolute(mount.mountPath),
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
