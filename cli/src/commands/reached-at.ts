// Under which name others reach what listens at an address.
import { BlockList, isIP } from 'node:net';
import { nodeAddress } from '@fleetset/agent/facts/node-address';
import type { HostPort } from '../options.ts';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8);
LOOPBACK.addAddress('::1', 'ipv6');

const isEveryAddress = ({ host }: HostPort): boolean => host === '0.0.0.0' || host === '::';

function isLoopback({ host }: Pick<HostPort, 'host'>): boolean {
  const version = isIP(host);
  return version === 0 ? host === 'localhost' : LOOPBACK.check(host, version === 6 ? 'ipv6' : 'ipv4');
}

/** From this machine. */
export const reachedHere = (listening: HostPort): string =>
  !isEveryAddress(listening) ? listening.host : listening.host === '::' ? '::1' : '127.0.0.1';

/** From elsewhere: as advertised; but what listens on loopback is reached there and nowhere else. */
export function reachedAt(listening: HostPort, advertised: string | undefined, unnamed: string): string {
  if (isLoopback(listening)) return listening.host;
  return advertised ?? (isEveryAddress(listening) ? unnamed : listening.host);
}

/** From pods, wherever they run, that may have no resolver: an address rather than a name. */
export function reachedFromPods(
  listening: HostPort,
  advertised: readonly string[] | undefined,
  own = nodeAddress(),
): string {
  if (isLoopback(listening)) return listening.host;
  const outside = (advertised ?? []).filter((host) => !isLoopback({ host }));
  const named = outside.find((host) => isIP(host) !== 0) ?? outside[0];
  if (named !== undefined) return named;
  return isEveryAddress(listening) ? (own ?? '127.0.0.1') : listening.host;
}
