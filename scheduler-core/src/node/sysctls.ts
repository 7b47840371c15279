// Kernel settings that a pod may have for itself: the safe ones on every node, others where the node's own configuration
// allows them, as kubelet's --allowed-unsafe-sysctls does.
import type { PodSpec } from '../schema/pod.ts';

/** Those that cannot touch another pod or the machine; kubelet's own list, as of Kubernetes 1.32. */
const SAFE: ReadonlySet<string> = new Set([
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ping_group_range',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.tcp_wmem',
]);

const SEGMENT = '[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
export const SYSCTL_NAME = `(${SEGMENT}[\\./])*${SEGMENT}`;
const SYSCTL_PATTERN = `(${SEGMENT}[\\./])*([a-z0-9][-_a-z0-9]*)?[a-z0-9*]`;
export const LONGEST_SYSCTL = 253;

/** With dots between its parts, whichever of dot and slash came first: the other one is part of a name, as that of a
 *  network interface with a dot in it. */
export function dottedSysctl(name: string): string {
  if (!/^[^.]*\//.test(name)) return name;
  return name.replace(/[./]/g, (separator) => (separator === '/' ? '.' : '/'));
}

export const isUnsafeSysctl = (name: string): boolean => !SAFE.has(dottedSysctl(name));

/** The namespace it belongs to; undefined when it is the whole machine's. */
export function sysctlNamespace(name: string): 'net' | 'ipc' | undefined {
  const asked = dottedSysctl(name);
  if (asked.startsWith('net.')) return 'net';
  return asked === 'kernel.sem' || /^(kernel\.(shm|msg)|fs\.mqueue\.)/.test(asked) ? 'ipc' : undefined;
}

/** What is wrong with a pattern of those that a node allows: a name, or the beginning of names and a star. */
export function sysctlPatternProblem(pattern: string): string | undefined {
  if (pattern.length > LONGEST_SYSCTL || !new RegExp(`^${SYSCTL_PATTERN}$`).test(pattern))
    return `must have at most ${LONGEST_SYSCTL} characters and match regex ${SYSCTL_PATTERN}`;
  if (sysctlNamespace(pattern.replace(/\*$/, '')) === undefined)
    return 'is not known to be of a namespace that a pod can have for itself (net.*, kernel.shm*, kernel.msg*, kernel.sem, fs.mqueue.*)';
  return undefined;
}

/** The first that neither is safe nor is allowed here, in kubelet's words. */
export function forbiddenSysctl(
  { securityContext }: PodSpec,
  allowed: readonly string[],
): string | undefined {
  const isAllowed = (name: string) =>
    allowed
      .map(dottedSysctl)
      .some((pattern) => (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern));
  const names = (securityContext?.sysctls ?? []).map(({ name }) => dottedSysctl(name));
  const first = names.find((name) => isUnsafeSysctl(name) && !isAllowed(name));
  return first === undefined ? undefined : `forbidden sysctl: ${JSON.stringify(first)} not allowlisted`;
}
