// How this machine resolves names, for pods that add to it.
import { readFile } from 'node:fs/promises';
import { type PodDns, readResolver } from '@fleetset/scheduler-core/node/pod-dns';
import type { PodSpec } from '@fleetset/scheduler-core/schema/pod';

const RESOLV_CONF = '/etc/resolv.conf';
/** Behind systemd-resolved's stub, which a pod on another network cannot reach. */
const BEHIND_STUB = '/run/systemd/resolve/resolv.conf';
const STUB = '127.0.0.53';

export async function hostResolver({ dnsConfig }: PodSpec): Promise<{ readonly hostResolver?: PodDns }> {
  if (!dnsConfig) return {};
  const resolver = await read(RESOLV_CONF);
  const behind = resolver?.servers.includes(STUB) ? await read(BEHIND_STUB) : undefined;
  const found = behind ?? resolver;
  return found ? { hostResolver: found } : {};
}

const read = async (path: string): Promise<PodDns | undefined> => {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : readResolver(text);
};
