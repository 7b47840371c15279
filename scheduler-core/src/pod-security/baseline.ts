// The controls of the Pod Security Standard "baseline", in the order in which Kubernetes names them.
import type { Container } from '../schema/container.ts';
import type { PodTemplateSpec } from '../schema/pod.ts';
import {
  type Control,
  containersOf,
  hasOwnUsers,
  namesOf,
  plural,
  quoted,
  settersOf,
  sorted,
  specOf,
  type Violation,
} from './control.ts';

const APPARMOR_ANNOTATION = 'container.apparmor.security.beta.kubernetes.io/';
const SECCOMP_POD_ANNOTATION = 'seccomp.security.alpha.kubernetes.io/pod';
const SECCOMP_ANNOTATION = 'container.seccomp.security.alpha.kubernetes.io/';

/** A profile that is set, and is neither the engine's own nor a file of the node. */
export const isOpenProfile = (profile: { readonly type: string } | undefined): boolean =>
  profile !== undefined && profile.type !== 'RuntimeDefault' && profile.type !== 'Localhost';

function appArmor(template: PodTemplateSpec): Violation | undefined {
  const spec = specOf(template);
  const pod = isOpenProfile(spec.securityContext?.appArmorProfile);
  const bad = containersOf(spec).filter(({ securityContext }) =>
    isOpenProfile(securityContext?.appArmorProfile),
  );
  const types = [
    ...(pod ? [spec.securityContext] : []),
    ...bad.map(({ securityContext }) => securityContext),
  ];
  const annotations = Object.entries(template.metadata?.annotations ?? {})
    .filter(([key, value]) => key.startsWith(APPARMOR_ANNOTATION) && !isKnownAppArmor(value))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .sort();
  const values = [...sorted(types.map((context) => context?.appArmorProfile?.type ?? '')), ...annotations];
  const setters = [
    ...[settersOf(pod, bad)].filter((setter) => setter !== undefined),
    ...(annotations.length > 0 ? [plural('annotation', 'annotations', annotations.length)] : []),
  ];
  return setters.length === 0
    ? undefined
    : {
        reason: plural('forbidden AppArmor profile', 'forbidden AppArmor profiles', values.length),
        detail: `${setters.join(' and ')} must not set AppArmor profile type to ${quoted(values)}`,
      };
}

const isKnownAppArmor = (value: string): boolean =>
  value === '' || value === 'runtime/default' || value.startsWith('localhost/');

const DEFAULT_CAPABILITIES = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
]);

function capabilities(template: PodTemplateSpec): Violation | undefined {
  const added = ({ securityContext }: Container) =>
    (securityContext?.capabilities?.add ?? []).filter((name) => !DEFAULT_CAPABILITIES.has(name));
  return setByContainers(
    template,
    added,
    'non-default capabilities',
    (who, names) => `${who} must not include ${quoted(names)} in securityContext.capabilities.add`,
  );
}

/** `valuesOf`: what a container has that it must not have. */
function setByContainers(
  template: PodTemplateSpec,
  valuesOf: (container: Container) => readonly string[],
  reason: string,
  detail: (who: string, values: readonly string[], bad: readonly Container[]) => string,
): Violation | undefined {
  const bad = containersOf(specOf(template)).filter((container) => valuesOf(container).length > 0);
  return bad.length === 0
    ? undefined
    : { reason, detail: detail(namesOf(bad), sorted(bad.flatMap(valuesOf)), bad) };
}

function hostNamespaces(template: PodTemplateSpec): Violation | undefined {
  const { hostNetwork, hostPID, hostIPC } = specOf(template);
  const shared = Object.entries({ hostNetwork, hostPID, hostIPC }).filter(([, on]) => on);
  return shared.length === 0
    ? undefined
    : { reason: 'host namespaces', detail: shared.map(([name]) => `${name}=true`).join(', ') };
}

function hostPaths(template: PodTemplateSpec): Violation | undefined {
  const names = (specOf(template).volumes ?? []).flatMap(({ name, hostPath }) => (hostPath ? [name] : []));
  return names.length === 0
    ? undefined
    : { reason: 'hostPath volumes', detail: `${plural('volume', 'volumes', names.length)} ${quoted(names)}` };
}

const hostPorts = (template: PodTemplateSpec): Violation | undefined =>
  setByContainers(
    template,
    ({ ports = [] }) => ports.flatMap(({ hostPort }) => (hostPort ? [String(hostPort)] : [])),
    'hostPort',
    (who, ports, bad) =>
      `${who} ${plural('uses', 'use', bad.length)} ${plural('hostPort', 'hostPorts', ports.length)} ${ports.join(', ')}`,
  );

function probeHosts(template: PodTemplateSpec): Violation | undefined {
  const hostsOf = ({ livenessProbe, readinessProbe, startupProbe, lifecycle }: Container) =>
    [livenessProbe, readinessProbe, startupProbe, lifecycle?.postStart, lifecycle?.preStop].flatMap((one) =>
      [one?.httpGet?.host, one?.tcpSocket?.host].flatMap((host) => host || []),
    );
  const bad = containersOf(specOf(template)).filter((container) => hostsOf(container).length > 0);
  if (bad.length === 0) return undefined;
  const names = sorted(bad.map(({ name }) => name));
  const hosts = sorted(bad.flatMap(hostsOf));
  return {
    reason: 'probe or lifecycle host',
    detail: [
      plural('container', 'containers', names.length),
      quoted(names),
      plural('uses', 'use', names.length),
      plural('probe or lifecycle host', 'probe or lifecycle hosts', hosts.length),
      quoted(hosts),
    ].join(' '),
  };
}

const privileged = (template: PodTemplateSpec): Violation | undefined =>
  setByContainers(
    template,
    ({ securityContext }) => (securityContext?.privileged ? ['true'] : []),
    'privileged',
    (who) => `${who} must not set securityContext.privileged=true`,
  );

export const unmaskedProc = (template: PodTemplateSpec): Violation | undefined =>
  setByContainers(
    template,
    ({ securityContext }) => {
      const mount = securityContext?.procMount;
      return mount === undefined || mount === 'Default' ? [] : [mount];
    },
    'procMount',
    (who, types) => `${who} must not set securityContext.procMount to ${quoted(types)}`,
  );

const OWN_USERS_SINCE = 35;
/** What is no danger from inside a pod with users of its own, as newer versions see it. */
export const relaxed =
  (check: Control['check']): Control['check'] =>
  (template, minor) =>
    minor >= OWN_USERS_SINCE && hasOwnUsers(specOf(template)) ? undefined : check(template, minor);

const SELINUX_TYPES = ['', 'container_t', 'container_init_t', 'container_kvm_t'];
const SELINUX_ENGINE_SINCE = 31;

function seLinux(template: PodTemplateSpec, minor: number): Violation | undefined {
  const spec = specOf(template);
  const isKnown = (type: string) =>
    SELINUX_TYPES.includes(type) || (minor >= SELINUX_ENGINE_SINCE && type === 'container_engine_t');
  const isBad = (options: { type?: string; user?: string; role?: string } | undefined) =>
    options !== undefined && (!isKnown(options.type ?? '') || !!options.user || !!options.role);
  const pod = isBad(spec.securityContext?.seLinuxOptions);
  const bad = containersOf(spec).filter(({ securityContext }) => isBad(securityContext?.seLinuxOptions));
  const setters = settersOf(pod, bad);
  if (setters === undefined) return undefined;
  const options = [
    ...(pod ? [spec.securityContext?.seLinuxOptions] : []),
    ...bad.map(({ securityContext }) => securityContext?.seLinuxOptions),
  ];
  const types = sorted(options.map((one) => one?.type ?? '').filter((type) => !isKnown(type)));
  const wrong = [
    ...(types.length > 0 ? [`${plural('type', 'types', types.length)} ${quoted(types)}`] : []),
    ...(options.some((one) => one?.user) ? ['user may not be set'] : []),
    ...(options.some((one) => one?.role) ? ['role may not be set'] : []),
  ];
  return {
    reason: 'seLinuxOptions',
    detail: `${setters} set forbidden securityContext.seLinuxOptions: ${wrong.join('; ')}`,
  };
}

const SECCOMP_FIELDS_SINCE = 19;

const seccomp: Control['check'] = (template, minor) =>
  minor >= SECCOMP_FIELDS_SINCE ? openSeccomp(template) : seccompAnnotations(template);

/** A profile that is set and is none of those that are allowed. */
export function openSeccomp(template: PodTemplateSpec): Violation | undefined {
  const spec = specOf(template);
  const own = spec.securityContext?.seccompProfile;
  const pod = isOpenProfile(own);
  const bad = containersOf(spec).filter(({ securityContext }) =>
    isOpenProfile(securityContext?.seccompProfile),
  );
  const setters = settersOf(pod, bad);
  const types = bad.map(({ securityContext }) => securityContext?.seccompProfile?.type ?? '');
  return setters === undefined
    ? undefined
    : {
        reason: 'seccompProfile',
        detail: `${setters} must not set securityContext.seccompProfile.type to ${quoted(sorted([...(pod ? [own?.type ?? ''] : []), ...types]))}`,
      };
}

function seccompAnnotations(template: PodTemplateSpec): Violation | undefined {
  const annotations = template.metadata?.annotations ?? {};
  const keys = [
    SECCOMP_POD_ANNOTATION,
    ...containersOf(specOf(template)).map(({ name }) => `${SECCOMP_ANNOTATION}${name}`),
  ];
  const isKnown = (value: string) =>
    value === 'runtime/default' || value === 'docker/default' || value.startsWith('localhost/');
  const bad = keys.flatMap((key) => {
    const value = annotations[key];
    return value === undefined || isKnown(value) ? [] : [`${key}=${JSON.stringify(value)}`];
  });
  return bad.length === 0
    ? undefined
    : {
        reason: 'seccompProfile',
        detail: `forbidden ${plural('annotation', 'annotations', bad.length)} ${sorted(bad).join(', ')}`,
      };
}

/** By the version from which on each is held to be safe. */
const SYSCTLS: { readonly [name: string]: number } = {
  'kernel.shm_rmid_forced': 0,
  'net.ipv4.ip_local_port_range': 0,
  'net.ipv4.tcp_syncookies': 0,
  'net.ipv4.ping_group_range': 0,
  'net.ipv4.ip_unprivileged_port_start': 0,
  'net.ipv4.ip_local_reserved_ports': 27,
  'net.ipv4.tcp_keepalive_time': 29,
  'net.ipv4.tcp_fin_timeout': 29,
  'net.ipv4.tcp_keepalive_intvl': 29,
  'net.ipv4.tcp_keepalive_probes': 29,
  'net.ipv4.tcp_rmem': 32,
  'net.ipv4.tcp_wmem': 32,
  'net.ipv4.tcp_slow_start_after_idle': 37,
  'net.ipv4.tcp_notsent_lowat': 37,
};

function sysctls(template: PodTemplateSpec, minor: number): Violation | undefined {
  const isSafe = (name: string) => Object.hasOwn(SYSCTLS, name) && (SYSCTLS[name] ?? 0) <= minor;
  const names = (specOf(template).securityContext?.sysctls ?? []).map(({ name }) => name);
  const bad = names.filter((name) => !isSafe(name));
  return bad.length === 0 ? undefined : { reason: 'forbidden sysctls', detail: bad.join(', ') };
}

function hostProcess(template: PodTemplateSpec): Violation | undefined {
  const spec = specOf(template);
  const bad = containersOf(spec).filter(
    ({ securityContext }) => securityContext?.windowsOptions?.hostProcess,
  );
  const setters = settersOf(spec.securityContext?.windowsOptions?.hostProcess === true, bad);
  return setters === undefined
    ? undefined
    : {
        reason: 'hostProcess',
        detail: `${setters} must not set securityContext.windowsOptions.hostProcess=true`,
      };
}

export const addedCapabilities: Control = { since: 0, check: capabilities };
export const hostPathVolumes: Control = { since: 0, check: hostPaths };
export const procMount: Control = { since: 0, check: relaxed(unmaskedProc) };
export const seccompProfile: Control = { since: 0, check: seccomp };

export const BASELINE: readonly Control[] = [
  { since: 0, check: appArmor },
  addedCapabilities,
  { since: 0, check: hostNamespaces },
  hostPathVolumes,
  { since: 0, check: hostPorts },
  { since: 34, check: probeHosts },
  { since: 0, check: privileged },
  procMount,
  { since: 0, check: seLinux },
  seccompProfile,
  { since: 0, check: sysctls },
  { since: 0, check: hostProcess },
];
