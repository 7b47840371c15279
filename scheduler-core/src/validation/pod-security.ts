// The security context of a pod, and what it has in common with that of a container.
import { isUnsafeSysctl, LONGEST_SYSCTL, SYSCTL_NAME, sysctlNamespace } from '../node/sysctls.ts';
import type { SecurityContext } from '../schema/container.ts';
import type { PodSecurityContext, PodSpec } from '../schema/pod.ts';
import {
  duplicate,
  type FieldError,
  forbidden,
  invalid,
  notSupported,
  required,
  tooLong,
} from './field-error.ts';

const MOST_ID = 2_147_483_647;

export function validatePodSecurity(at: string, spec: PodSpec): FieldError[] {
  const context = spec.securityContext ?? {};
  const field = `${at}.securityContext`;
  return [
    ...validateCommon(field, context),
    ...validateIds(`${field}.fsGroup`, context.fsGroup),
    ...(context.supplementalGroups ?? []).flatMap((group, index) =>
      validateIds(`${field}.supplementalGroups[${index}]`, group),
    ),
    ...oneOf(`${field}.supplementalGroupsPolicy`, context.supplementalGroupsPolicy, ['Merge', 'Strict']),
    ...validateSysctls(`${field}.sysctls`, context.sysctls ?? [], spec),
    ...validateHostUsers(at, spec),
    ...(spec.hostPID && spec.shareProcessNamespace
      ? [
          invalid(
            `${at}.shareProcessNamespace`,
            true,
            'ShareProcessNamespace and HostPID cannot both be enabled',
          ),
        ]
      : []),
  ];
}

/** What a pod's and a container's security context both may hold. */
export const validateCommon = (
  at: string,
  { runAsUser, runAsGroup, seccompProfile, appArmorProfile }: SecurityContext | PodSecurityContext,
): FieldError[] => [
  ...validateIds(`${at}.runAsUser`, runAsUser),
  ...validateIds(`${at}.runAsGroup`, runAsGroup),
  ...validateProfile(`${at}.seccompProfile`, 'seccomp', 'seccompProfile', seccompProfile),
  ...validateProfile(`${at}.appArmorProfile`, 'AppArmor', 'appArmorProfile', appArmorProfile),
];

export const validateProcMount = (
  field: string,
  procMount: string | undefined,
  hostUsers: boolean,
): FieldError[] =>
  procMount === 'Unmasked' && hostUsers
    ? [invalid(field, procMount, '`hostUsers` must be false to use `Unmasked`')]
    : oneOf(field, procMount, ['Default', 'Unmasked']);

const oneOf = (field: string, value: string | undefined, known: readonly string[]): FieldError[] =>
  value === undefined || known.includes(value) ? [] : [notSupported(field, value, known)];

const validateIds = (field: string, id: number | undefined): FieldError[] =>
  id !== undefined && (id < 0 || id > MOST_ID)
    ? [invalid(field, id, `must be between 0 and ${MOST_ID}, inclusive`)]
    : [];

interface Profile {
  readonly type: string;
  readonly localhostProfile?: string;
}

function validateProfile(
  at: string,
  what: 'seccomp' | 'AppArmor',
  name: string,
  profile: Profile | undefined,
): FieldError[] {
  if (!profile) return [];
  const { type, localhostProfile } = profile;
  const field = `${at}.localhostProfile`;
  if (!type) return [required(`${at}.type`, `type is required when ${name} is set`)];
  if (type !== 'Localhost')
    return [
      ...(localhostProfile === undefined
        ? []
        : [invalid(field, localhostProfile, `can only be set when ${what} type is Localhost`)]),
      ...oneOf(`${at}.type`, type, ['Localhost', 'RuntimeDefault', 'Unconfined']),
    ];
  if (!localhostProfile?.trim()) return [required(field, `must be set when ${what} type is Localhost`)];
  return what === 'seccomp' ? descendingPath(field, localhostProfile) : profileName(field, localhostProfile);
}

const descendingPath = (field: string, path: string): FieldError[] => [
  ...(path.startsWith('/') ? [invalid(field, path, 'must be a relative path')] : []),
  ...(path.split('/').includes('..') ? [invalid(field, path, "must not contain '..'")] : []),
];

function profileName(field: string, name: string): FieldError[] {
  if (name.trim() !== name) return [invalid(field, name, 'must not be padded with whitespace')];
  return name.length > 4095 ? [tooLong(field, 4095)] : [];
}

function validateSysctls(
  field: string,
  sysctls: NonNullable<PodSecurityContext['sysctls']>,
  { hostNetwork, hostIPC }: PodSpec,
): FieldError[] {
  const names = sysctls.map(({ name }) => name);
  return names.flatMap((name, index) => {
    const at = `${field}[${index}].name`;
    if (!name) return [required(at)];
    if (name.length > LONGEST_SYSCTL || !new RegExp(`^${SYSCTL_NAME}$`).test(name))
      return [
        invalid(at, name, `must have at most ${LONGEST_SYSCTL} characters and match regex ${SYSCTL_NAME}`),
      ];
    const namespace = sysctlNamespace(name);
    if (hostNetwork && namespace === 'net')
      return [invalid(at, name, "may not be specified when 'hostNetwork' is true")];
    if (hostIPC && namespace === 'ipc')
      return [invalid(at, name, "may not be specified when 'hostIPC' is true")];
    return names.indexOf(name) < index ? [duplicate(at, name)] : [];
  });
}

/** What no node can allow: it has no namespace of its own. */
export const machineSysctls = (at: string, { securityContext }: PodSpec): FieldError[] =>
  (securityContext?.sysctls ?? []).flatMap(({ name }, index) =>
    sysctlNamespace(name) === undefined
      ? [
          forbidden(
            `${at}.securityContext.sysctls[${index}].name`,
            `sysctl ${JSON.stringify(name)} is the whole machine's, and no pod can have it for itself`,
          ),
        ]
      : [],
  );

/** What only an agent's own configuration allows. */
export const unsafeSysctls = (at: string, { securityContext }: PodSpec): string[] =>
  (securityContext?.sysctls ?? []).flatMap(({ name }, index) =>
    isUnsafeSysctl(name) && sysctlNamespace(name) !== undefined
      ? [
          `${at}.securityContext.sysctls[${index}].name: sysctl ${JSON.stringify(name)} is not among the safe ones: only nodes whose agent allows it (allowedUnsafeSysctls) run the pod`,
        ]
      : [],
  );

const validateHostUsers = (at: string, spec: PodSpec): FieldError[] =>
  spec.hostUsers === false
    ? (['hostNetwork', 'hostIPC', 'hostPID'] as const)
        .filter((name) => spec[name])
        .map((name) => forbidden(`${at}.${name}`, 'when `hostUsers` is false'))
    : [];
