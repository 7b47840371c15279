// On which ports something of this machine listens, and what it is. Of the network that the agent itself is on, which
// is the machine's.
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { clashes, type PortClaim, type TakenPort } from '@fleetset/scheduler-core/node/blocked-pods';

const TABLES = [
  ['tcp', 'TCP', '0A'],
  ['tcp6', 'TCP', '0A'],
  ['udp', 'UDP', '07'],
  ['udp6', 'UDP', '07'],
] as const;

interface Socket extends PortClaim {
  readonly inode: string;
}

/** Those that clash with a claim. `podOf`: whose a container is, by its id. Looks for processes only if there are any. */
export async function takenPorts(
  claims: readonly PortClaim[],
  podOf: ReadonlyMap<string, string>,
  proc = '/proc',
): Promise<readonly TakenPort[]> {
  const sockets = (await Promise.all(TABLES.map((table) => listening(proc, table)))).flat();
  const wanted = sockets.filter((socket) => claims.some((claim) => clashes(claim, socket)));
  if (wanted.length === 0) return [];
  const owners = await ownersOf(new Set(wanted.map(({ inode }) => inode)), proc);
  return Promise.all(
    wanted.map(async ({ inode, ...port }) => ({
      ...port,
      ...(await describe(owners.get(inode), podOf, proc)),
    })),
  );
}

/** One line for each socket: number, local address, remote address, state, ... and, as the tenth word, the inode. */
async function listening(
  proc: string,
  [table, protocol, listens]: (typeof TABLES)[number],
): Promise<Socket[]> {
  const text = await readFile(join(proc, 'net', table), 'utf8').catch(() => '');
  return text
    .split('\n')
    .slice(1)
    .flatMap((line): Socket[] => {
      const words = line.trim().split(/\s+/);
      const [address = '', port = ''] = (words[1] ?? '').split(':');
      if (words[3] !== listens) return [];
      const ip = readAddress(address);
      return [{ protocol, port: Number.parseInt(port, 16), inode: words[9] ?? '', ...(ip ? { ip } : {}) }];
    });
}

/** Words of four bytes, each in the machine's order. Undefined for every address. */
function readAddress(hex: string): string | undefined {
  if (/^0*$/.test(hex)) return undefined;
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => [...Buffer.from(word, 'hex')].reverse());
  const mapped = bytes.length === 16 && bytes.slice(0, 12).join() === '0,0,0,0,0,0,0,0,0,0,255,255';
  if (bytes.length === 4 || mapped) return bytes.slice(-4).join('.');
  const groups = Array.from({ length: 8 }, (_, index) =>
    (((bytes[2 * index] ?? 0) << 8) | (bytes[2 * index + 1] ?? 0)).toString(16),
  );
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

/** Process ids by inode; only of those that this agent may look into. */
async function ownersOf(inodes: ReadonlySet<string>, proc: string): Promise<ReadonlyMap<string, string>> {
  const owners = new Map<string, string>();
  for (const pid of (await readdir(proc)).filter((name) => /^\d+$/.test(name))) {
    const directory = join(proc, pid, 'fd');
    for (const fd of await readdir(directory).catch(() => [])) {
      const target = await readlink(join(directory, fd)).catch(() => '');
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode !== undefined && inodes.has(inode) && !owners.has(inode)) owners.set(inode, pid);
    }
    if (owners.size === inodes.size) break;
  }
  return owners;
}

async function describe(
  pid: string | undefined,
  podOf: ReadonlyMap<string, string>,
  proc: string,
): Promise<Pick<TakenPort, 'program' | 'podUid'>> {
  if (pid === undefined) return {};
  const [name, cgroup] = await Promise.all(
    ['comm', 'cgroup'].map((file) => readFile(join(proc, pid, file), 'utf8').catch(() => '')),
  );
  const podUid = [...podOf].find(([containerId]) => cgroup?.includes(containerId))?.[1];
  return {
    program: `${name?.trim() || 'a process'} (process ${pid})`,
    ...(podUid === undefined ? {} : { podUid }),
  };
}
