// What a container shares and what it may do, in Docker's spelling.
import type { ContainerSettings } from './container-runtime.ts';

export function sharingOptions(settings: ContainerSettings) {
  const { hostPid, pidOf, dns, extraHosts = [], sysctls } = settings;
  return {
    ...ipcMode(settings),
    ...(hostPid ? { PidMode: 'host' } : pidOf ? { PidMode: `container:${pidOf}` } : {}),
    ...(dns ? dnsOptions(dns) : {}),
    ...(extraHosts.length > 0 ? { ExtraHosts: extraHosts.map(({ ip, name }) => `${name}:${ip}`) } : {}),
    ...(sysctls ? { Sysctls: { ...sysctls } } : {}),
  };
}

/** The containers of a pod with a holder share its IPC namespace, as they do in Kubernetes. */
function ipcMode({ hostIpc, sharesIpc, ipcOf, network }: ContainerSettings): { readonly IpcMode?: string } {
  if (hostIpc) return { IpcMode: 'host' };
  if (sharesIpc || network === 'own') return { IpcMode: 'shareable' };
  const holderId = ipcOf ?? (network === 'host' ? undefined : network.holderId);
  return holderId === undefined ? {} : { IpcMode: `container:${holderId}` };
}

/** Docker fills in the machine's for each list that is empty: '.' is no search, and one dot is the usual number. */
const dnsOptions = ({ servers, searches, options }: NonNullable<ContainerSettings['dns']>) => ({
  Dns: [...servers],
  DnsSearch: searches.length > 0 ? [...searches] : ['.'],
  DnsOptions: options.length > 0 ? [...options] : ['ndots:1'],
});

export function securityOptions(settings: ContainerSettings) {
  const { groups, privileged, capAdd, capDrop, readOnlyRoot, unmaskedProc, devices } = settings;
  const opt = securityOpt(settings);
  return {
    ...(groups ? { GroupAdd: groups.map(String) } : {}),
    ...(privileged ? { Privileged: true } : {}),
    ...(capAdd ? { CapAdd: [...capAdd] } : {}),
    ...(capDrop ? { CapDrop: [...capDrop] } : {}),
    ...(readOnlyRoot ? { ReadonlyRootfs: true } : {}),
    ...(opt.length > 0 ? { SecurityOpt: opt } : {}),
    ...(unmaskedProc ? { MaskedPaths: [], ReadonlyPaths: [] } : {}),
    ...(devices
      ? {
          Devices: devices.map(({ source, target, permissions }) => ({
            PathOnHost: source,
            PathInContainer: target,
            CgroupPermissions: permissions,
          })),
        }
      : {}),
  };
}

function securityOpt({ noNewPrivileges, seccomp, appArmor, seLinux = {} }: ContainerSettings): string[] {
  const labels = Object.entries(seLinux).filter(([, value]) => value);
  return [
    ...(noNewPrivileges ? ['no-new-privileges'] : []),
    ...(seccomp ? [`seccomp=${seccomp === 'unconfined' ? seccomp : seccomp.profile}`] : []),
    ...(appArmor ? [`apparmor=${appArmor}`] : []),
    ...labels.map(([part, value]) => `label=${part}:${value}`),
  ];
}
