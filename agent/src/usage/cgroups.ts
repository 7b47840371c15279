// What containers use, read from their control groups (v1 and v2). The engine would read the same files and take
// some thirty times as long (ADR 17).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where the groups are: version 1 has a tree for each controller. */
export type CgroupTrees =
  | { readonly version: 1; readonly cpu: Tree; readonly memory: Tree }
  | { readonly version: 2; readonly unified: Tree };

export interface Tree {
  /** Of the mount within the hierarchy: paths begin with it. */
  readonly root: string;
  readonly mount: string;
}

/** Undefined where there are none that count both. */
export function findTrees(mountInfo: string): CgroupTrees | undefined {
  const mounts = mountInfo.split('\n').flatMap((line) => {
    const [place = '', filesystem = ''] = line.split(' - ');
    const [, , , root, mount] = place.split(' ');
    const [type, , options = ''] = filesystem.split(' ');
    return root && mount && type ? [{ root, mount, type, options: options.split(',') }] : [];
  });
  const controller = (name: string) =>
    mounts.find(({ type, options }) => type === 'cgroup' && options.includes(name));
  const [cpu, memory] = [controller('cpuacct'), controller('memory')];
  if (cpu && memory) return { version: 1, cpu, memory };
  const unified = mounts.find(({ type }) => type === 'cgroup2');
  return unified && { version: 2, unified };
}

/** A container's directories, which stay the same while it runs. */
export interface CgroupPlace {
  readonly version: 1 | 2;
  readonly cpu: string;
  readonly memory: string;
}

/** `membership`: /proc/PID/cgroup. Undefined when that is not of this container: a number may name another process. */
export function findPlace(
  trees: CgroupTrees,
  membership: string,
  containerId: string,
): CgroupPlace | undefined {
  const paths = new Map<string, string>();
  for (const line of membership.split('\n')) {
    const [, controllers = '', path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path !== undefined) for (const name of controllers.split(',')) paths.set(name, path);
  }
  const directory = (tree: Tree, controller: string): string | undefined => {
    const path = containerPart(paths.get(controller) ?? '', containerId);
    if (path === undefined) return undefined;
    if (tree.root === '/') return join(tree.mount, path);
    return path.startsWith(`${tree.root}/`) ? join(tree.mount, path.slice(tree.root.length)) : undefined;
  };
  const cpu = trees.version === 1 ? directory(trees.cpu, 'cpuacct') : directory(trees.unified, '');
  const memory = trees.version === 1 ? directory(trees.memory, 'memory') : directory(trees.unified, '');
  return cpu && memory ? { version: trees.version, cpu, memory } : undefined;
}

/** A program in the container may have made groups of its own below. */
function containerPart(path: string, containerId: string): string | undefined {
  const parts = path.split('/');
  const index = parts.findIndex((part) => part.includes(containerId));
  return index < 0 ? undefined : parts.slice(0, index + 1).join('/');
}

export interface Used {
  /** Nanoseconds since the container began. */
  readonly cpuNanos: number;
  /** The working set: without the file cache that the kernel would give up first. */
  readonly memoryBytes: number;
}

/** Throws when the container is gone. */
export function readUsed({ version, cpu, memory }: CgroupPlace): Used {
  const read = (directory: string, file: string) => readFileSync(join(directory, file), 'utf8');
  const stat = read(memory, 'memory.stat');
  if (version === 1)
    return {
      cpuNanos: Number(read(cpu, 'cpuacct.usage')),
      memoryBytes: workingSet(Number(read(memory, 'memory.usage_in_bytes')), stat, 'total_inactive_file'),
    };
  return {
    cpuNanos: fieldOf(read(cpu, 'cpu.stat'), 'usage_usec') * 1000,
    memoryBytes: workingSet(Number(read(memory, 'memory.current')), stat, 'inactive_file'),
  };
}

const workingSet = (usage: number, stat: string, cache: string): number =>
  Math.max(0, usage - fieldOf(stat, cache));

const fieldOf = (text: string, name: string): number =>
  Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
