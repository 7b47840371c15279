// A container's settings in Docker's spelling.
import type Docker from 'dockerode';
import type { LogSettings } from '../node-settings.ts';
import { labelsOf } from './container-labels.ts';
import type { ContainerSettings, PublishedPort } from './container-runtime.ts';
import { HOLDER_ENTRYPOINT, HOLDER_IMAGE } from './holder-image.ts';

export function createOptions(
  settings: ContainerSettings,
  owner: string,
  { maxBytes, maxFiles }: LogSettings,
): Docker.ContainerCreateOptions {
  const { network, entrypoint, identity, ports } = settings;
  const holder = settings.image === HOLDER_IMAGE;
  return {
    name: settings.name,
    Image: settings.image,
    Labels: labelsOf(identity, owner),
    Env: [...settings.env],
    ...(entrypoint ? { Entrypoint: [...entrypoint] } : holder ? { Entrypoint: [HOLDER_ENTRYPOINT] } : {}),
    ...(settings.args ? { Cmd: [...settings.args] } : {}),
    ...(settings.workingDir ? { WorkingDir: settings.workingDir } : {}),
    ...(settings.user === undefined ? {} : { User: settings.user }),
    ...(settings.hostname ? { Hostname: settings.hostname } : {}),
    ...(settings.domainName ? { Domainname: settings.domainName } : {}),
    ...(settings.tty ? { Tty: true } : {}),
    ...(settings.stdin ? { OpenStdin: true } : {}),
    ...(settings.stdinOnce ? { StdinOnce: true } : {}),
    ...(settings.stopSignal ? { StopSignal: settings.stopSignal } : {}),
    // Kubernetes asks by the manifest's probes alone; the engine would run the image's own beside them.
    Healthcheck: { Test: ['NONE'] },
    ...(ports.length > 0
      ? { ExposedPorts: Object.fromEntries(ports.map((port) => [portKey(port), {}])) }
      : {}),
    HostConfig: {
      NetworkMode: networkMode(network),
      RestartPolicy: { Name: 'no' },
      LogConfig: {
        Type: 'json-file',
        Config: { 'max-size': String(maxBytes), 'max-file': String(maxFiles) },
      },
      Mounts: settings.mounts.map(({ source, target, readOnly, propagation }) => ({
        Type: 'bind',
        Source: source,
        Target: target,
        ReadOnly: readOnly,
        // Private is the engine's default, save for what holds its own directory or lies in it: there it takes slave, and
        // refuses to be asked for private.
        ...(propagation === 'rprivate' ? {} : { BindOptions: { Propagation: propagation } }),
      })),
      PortBindings: portBindings(ports),
      ...sharingOptions(settings),
      ...resourceOptions(settings),
      ...securityOptions(settings),
    },
  };
}

const portKey = ({ containerPort, protocol }: PublishedPort): string => `${containerPort}/${protocol}`;

/** One port of the pod may be reached by several of the node. */
function portBindings(ports: readonly PublishedPort[]) {
  const byPort = Map.groupBy(ports, portKey);
  return Object.fromEntries(
    [...byPort].map(([key, own]) => [
      key,
      own.map(({ hostPort, hostIp = '' }) => ({ HostPort: String(hostPort), HostIp: hostIp })),
    ]),
  );
}

function networkMode(network: ContainerSettings['network']): string {
  if (network === 'host') return 'host';
  return network === 'own' ? 'bridge' : `container:${network.holderId}`;
}

function resourceOptions(settings: ContainerSettings): Docker.HostConfig {
  const { cpuShares, cpuQuota, cpuPeriod, memoryBytes, oomScoreAdjust } = settings;
  return {
    ...(cpuShares === undefined ? {} : { CpuShares: cpuShares }),
    ...(cpuQuota === undefined ? {} : { CpuQuota: cpuQuota }),
    ...(cpuPeriod === undefined ? {} : { CpuPeriod: cpuPeriod }),
    // Memory and swap together: no swap on top.
    ...(memoryBytes === undefined ? {} : { Memory: memoryBytes, MemorySwap: memoryBytes }),
    ...(oomScoreAdjust === undefined ? {} : { OomScoreAdj: oomScoreAdjust }),
  };
}

function sharingOptions(settings: ContainerSettings) {
  const { hostPid, pidOf, dns, extraHosts = [], sysctls, mapsUsers } = settings;
  return {
    ...(mapsUsers ? {} : { UsernsMode: 'host' }),
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
