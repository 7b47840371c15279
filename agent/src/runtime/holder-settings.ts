// What the containers of a pod share, and who holds it: network, IPC, names, kernel settings. Pure.

import { podDns } from '@fleetset/scheduler-core/node/pod-dns';
import { hostnameOf } from '@fleetset/scheduler-core/node/pod-hostname';
import { allContainers, HOLDER } from '@fleetset/scheduler-core/node/pod-record';
import { dottedSysctl } from '@fleetset/scheduler-core/node/sysctls';
import type { Container } from '@fleetset/scheduler-core/schema/container';
import type { ContainerSettings, PublishedPort } from './container-runtime.ts';
import { engineName, type SettingsInput } from './settings-input.ts';

export function holderSettings(input: SettingsInput, image: string): ContainerSettings {
  const { pod, spec, attempt } = input;
  return {
    name: engineName(input, 'POD'),
    identity: { pod, name: HOLDER, attempt },
    image,
    env: [],
    network: spec.hostNetwork ? 'host' : 'own',
    ...(spec.hostNetwork ? {} : hostnameOf(pod, spec)),
    mounts: [],
    ports: spec.hostNetwork ? [] : allContainers(spec).flatMap(publishedPorts),
    oomScoreAdjust: Math.max(-998, input.minOomScoreAdjust),
    ...(spec.hostIPC ? { hostIpc: true } : { sharesIpc: true }),
    ...usersOf(input),
    ...namesOf(input),
    ...sysctlsOf(input),
  };
}

/** How one of the pod's containers takes part in it. */
export function joinedSettings(
  input: SettingsInput,
): Pick<ContainerSettings, 'network'> & Partial<ContainerSettings> {
  const { spec, holder } = input;
  const own = spec.hostNetwork || !holder;
  return {
    network: own ? 'host' : { holderId: holder.id },
    ...usersOf(input),
    ...(spec.hostPID ? { hostPid: true } : {}),
    ...(spec.hostIPC ? { hostIpc: true } : {}),
    ...(holder && spec.hostNetwork && !spec.hostIPC ? { ipcOf: holder.id } : {}),
    ...(holder && spec.shareProcessNamespace ? { pidOf: holder.id } : {}),
    // The names are the holder's where its network is.
    ...(own ? namesOf(input) : {}),
    ...(holder ? {} : sysctlsOf(input)),
  };
}

const usersOf = ({ spec }: SettingsInput): Partial<ContainerSettings> =>
  spec.hostUsers === false ? { mapsUsers: true } : {};

function namesOf({ spec, hostResolver }: SettingsInput): Partial<ContainerSettings> {
  const dns = podDns(spec, hostResolver);
  const extraHosts = (spec.hostAliases ?? []).flatMap(({ ip, hostnames = [] }) =>
    hostnames.map((name) => ({ ip, name })),
  );
  return { ...(dns ? { dns } : {}), ...(extraHosts.length > 0 ? { extraHosts } : {}) };
}

function sysctlsOf({ spec }: SettingsInput): Partial<ContainerSettings> {
  const sysctls = spec.securityContext?.sysctls ?? [];
  if (sysctls.length === 0) return {};
  return {
    sysctls: Object.fromEntries(sysctls.map(({ name, value }) => [dottedSysctl(name), value])),
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
