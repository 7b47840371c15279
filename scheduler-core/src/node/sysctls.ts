// Kernel settings that a pod may have for itself.

/** Those that cannot touch another pod or the machine; kubelet's own list. */
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

const dotted = (name: string): string => name.replaceAll('/', '.');

export const isUnsafeSysctl = (name: string): boolean => !SAFE.has(dotted(name));

/** The namespace it belongs to; undefined when it is the whole machine's. */
export function sysctlNamespace(name: string): 'net' | 'ipc' | undefined {
  const asked = dotted(name);
  if (asked.startsWith('net.')) return 'net';
  return /^(kernel\.(shm|msg|sem)|fs\.mqueue\.)/.test(asked) ? 'ipc' : undefined;
}
