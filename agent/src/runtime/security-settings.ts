// The security context of a container, its pod's behind it, as the engine takes it. Pure.
import { devicesOf } from '@fleetset/scheduler-core/node/pod-devices';
import type { Container } from '@fleetset/scheduler-core/schema/container';
import type { PodSpec } from '@fleetset/scheduler-core/schema/pod';
import type { ContainerSettings } from './container-runtime.ts';
import type { SettingsInput } from './settings-input.ts';

type Security = Partial<ContainerSettings>;

export function securitySettings(input: SettingsInput, container: Container): Security {
  const { securityContext = {} } = container;
  const { privileged, readOnlyRootFilesystem, allowPrivilegeEscalation, procMount } = securityContext;
  const devices = devicesOf(input.annotations);
  return {
    ...groupsOf(input.spec),
    ...(privileged ? { privileged: true } : {}),
    ...capabilitiesOf(container),
    ...(readOnlyRootFilesystem ? { readOnlyRoot: true } : {}),
    ...(allowPrivilegeEscalation === false ? { noNewPrivileges: true } : {}),
    ...seccompOf(input, container),
    ...appArmorOf(input.spec, container),
    ...seLinuxOf(input.spec, container),
    ...(procMount === 'Unmasked' ? { unmaskedProc: true } : {}),
    ...(devices.length > 0 ? { devices } : {}),
  };
}

function groupsOf({ securityContext }: PodSpec): Security {
  const { supplementalGroups = [], fsGroup } = securityContext ?? {};
  const groups = [...new Set([...supplementalGroups, ...(fsGroup === undefined ? [] : [fsGroup])])];
  return groups.length > 0 ? { groups } : {};
}

/** Kubernetes drops after it adds, and Docker the other way round. */
function capabilitiesOf({ securityContext }: Container): Security {
  const { add = [], drop = [] } = securityContext?.capabilities ?? {};
  const dropped = new Set(drop.map(capabilityName));
  const added = [...new Set(add.map(capabilityName))].filter((name) => !dropped.has(name) || name === 'ALL');
  return {
    ...(added.length > 0 ? { capAdd: added } : {}),
    ...(dropped.size > 0 ? { capDrop: [...dropped] } : {}),
  };
}

const capabilityName = (name: string): string => name.toUpperCase().replace(/^CAP_/, '');

/** The file whose content has to be known, relative to the agent's directory of profiles. */
export function localSeccompProfile(spec: PodSpec, container: Container): string | undefined {
  const profile = container.securityContext?.seccompProfile ?? spec.securityContext?.seccompProfile;
  return profile?.type === 'Localhost' ? profile.localhostProfile : undefined;
}

function seccompOf({ spec, seccompProfile }: SettingsInput, container: Container): Security {
  const profile = container.securityContext?.seccompProfile ?? spec.securityContext?.seccompProfile;
  if (profile?.type === 'Unconfined') return { seccomp: 'unconfined' };
  return profile?.type === 'Localhost' && seccompProfile !== undefined
    ? { seccomp: { profile: seccompProfile } }
    : {};
}

function appArmorOf(spec: PodSpec, container: Container): Security {
  const profile = container.securityContext?.appArmorProfile ?? spec.securityContext?.appArmorProfile;
  if (profile?.type === 'Unconfined') return { appArmor: 'unconfined' };
  return profile?.type === 'Localhost' && profile.localhostProfile
    ? { appArmor: profile.localhostProfile }
    : {};
}

/** As a whole: the container's options do not complete the pod's. */
function seLinuxOf(spec: PodSpec, container: Container): Security {
  const options = container.securityContext?.seLinuxOptions ?? spec.securityContext?.seLinuxOptions;
  return options && Object.values(options).some(Boolean) ? { seLinux: options } : {};
}
