// How much of the machine is free: memory and PIDs from /proc, disks by statfs. A few reads that cost the kernel
// next to nothing; no program is started.
import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import type { Level, Levels } from '@fleetset/scheduler-core/node/node-pressure';

export interface Places {
  /** Where the agent keeps its state. */
  readonly nodefs: string;
  /** Where the engine keeps images and containers; absent while that is not known. */
  readonly imagefs: string | undefined;
}

export interface DiskLevels {
  readonly bytes: Level;
  readonly inodes: Level;
}

/** What cannot be read is absent. */
export async function readLevels({ nodefs, imagefs }: Places): Promise<Levels> {
  const [node, image] = await Promise.all([readDisk(nodefs), imagefs ? readDisk(imagefs) : undefined]);
  const memory = memoryLevel(readText('/proc/meminfo'));
  const pids = pidLevel(
    readText('/proc/loadavg'),
    readText('/proc/sys/kernel/pid_max'),
    readText('/proc/sys/kernel/threads-max'),
  );
  return {
    ...(memory ? { 'memory.available': memory } : {}),
    ...(node ? { 'nodefs.available': node.bytes, 'nodefs.inodesFree': node.inodes } : {}),
    ...(image ? { 'imagefs.available': image.bytes, 'imagefs.inodesFree': image.inodes } : {}),
    ...(pids ? { 'pid.available': pids } : {}),
  };
}

/** A filesystem that does not answer is not asked again before it has. */
const asked = new Map<string, Promise<DiskLevels | undefined>>();
const DISK_TIMEOUT_MS = 2000;

/** Undefined when there is no such place, or no answer in time. */
export async function readDisk(path: string): Promise<DiskLevels | undefined> {
  let answer = asked.get(path);
  if (!answer) {
    answer = askDisk(path).finally(() => asked.delete(path));
    asked.set(path, answer);
  }
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), DISK_TIMEOUT_MS);
  });
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}

async function askDisk(path: string): Promise<DiskLevels | undefined> {
  try {
    const { bavail, blocks, bsize, ffree, files } = await statfs(path);
    return {
      bytes: { available: bavail * bsize, capacity: blocks * bsize },
      inodes: { available: ffree, capacity: files },
    };
  } catch {
    return undefined;
  }
}

/** What could be given to programs without swapping, as the kernel reckons it. */
export function memoryLevel(meminfo: string): Level | undefined {
  const kibibytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(meminfo)?.[1]);
  const [available, capacity] = [kibibytes('MemAvailable') * 1024, kibibytes('MemTotal') * 1024];
  return Number.isNaN(available) || Number.isNaN(capacity) ? undefined : { available, capacity };
}

/** Threads take PIDs too; loadavg counts them all (`running/all`). */
export function pidLevel(loadavg: string, pidMax: string, threadsMax: string): Level | undefined {
  const used = Number(/ \d+\/(\d+) /.exec(loadavg)?.[1]);
  const limits = [pidMax, threadsMax].filter((text) => /^\d+\s*$/.test(text)).map(Number);
  if (Number.isNaN(used) || limits.length === 0) return undefined;
  const capacity = Math.min(...limits);
  return { available: Math.max(0, capacity - used), capacity };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
