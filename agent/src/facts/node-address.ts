// The node's own address: cheap to find, so that one that comes late (DHCP) or changes is seen soon.
import { readFileSync } from 'node:fs';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';

type Interfaces = { readonly [name: string]: readonly NetworkInterfaceInfo[] | undefined };

export const nodeAddress = (): string | undefined => chooseAddress(networkInterfaces(), routeTable());

/** IPv4 where the default route goes, else the first from outside, else any from outside. */
export function chooseAddress(interfaces: Interfaces, routes: string): string | undefined {
  const external = Object.values(interfaces)
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal }) => !internal);
  const first = interfaces[defaultInterface(routes)] ?? [];
  return ([...first, ...external].find(({ family }) => family === 'IPv4') ?? external[0])?.address;
}

const UP = 1;

/** Of several default routes that with the lowest metric, as the kernel takes it. */
function defaultInterface(routes: string): string {
  const defaults = routes
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(
      ([, destination, , flags = '', , , , mask]) =>
        destination === '00000000' && mask === '00000000' && Number.parseInt(flags, 16) & UP,
    )
    .map(([name = '', , , , , , metric]) => ({ name, metric: Number(metric) }));
  return defaults.sort((a, b) => a.metric - b.metric)[0]?.name ?? '';
}

function routeTable(): string {
  try {
    return readFileSync('/proc/net/route', 'utf8');
  } catch {
    return '';
  }
}
