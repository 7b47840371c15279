// Mounts that the agent makes: filesystems in memory, and single paths bound to a place of their own. The engine has
// to see them, so the agent must be in the engine's mount namespace and may mount.
import { spawn } from 'node:child_process';
import type { Stats } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';

export interface Mounts {
  /** A filesystem in memory at a directory that exists; nothing when there is one already. */
  readonly tmpfs: (directory: string, options: TmpfsOptions) => Promise<void>;
  /** What the open file is, at `target`, which is of the same kind; nothing when something is there already. */
  readonly bind: (fd: number, target: string) => Promise<void>;
  /** Takes away what is mounted at `target`, unless it is `kept`. */
  readonly unmountOther: (target: string, kept: Place) => Promise<void>;
  /** Every mount at or below the directory. Throws when one is left. */
  readonly unmountAll: (directory: string) => Promise<void>;
}

/** Of a file or directory: which one it is. */
export type Place = Pick<Stats, 'dev' | 'ino'>;

export interface TmpfsOptions {
  readonly sizeBytes?: number;
  /** Absent: root. */
  readonly user?: number;
  readonly group?: number;
}

export const systemMounts: Mounts = {
  tmpfs: async (directory, { sizeBytes, user, group }) => {
    if (await isMountPoint(directory)) return;
    const options = [
      group === undefined ? 'mode=1777' : `mode=2777,gid=${group}`,
      ...(user === undefined ? [] : [`uid=${user}`]),
      ...(sizeBytes === undefined ? [] : [`size=${sizeBytes}`]),
    ];
    await run(['-t', 'tmpfs', '-o', `nosuid,nodev,${options}`, 'tmpfs', directory]).catch((error: Error) => {
      throw new Error(
        `a tmpfs cannot be mounted (the agent needs CAP_SYS_ADMIN for volumes in memory): ${error.message}`,
        { cause: error },
      );
    });
  },
  bind: async (fd, target) => {
    if (await isMountPoint(target)) return;
    // Of the open file, not of its path: nobody can put another thing there meanwhile.
    await run(['--no-canonicalize', '--bind', '/proc/self/fd/3', target], fd);
  },
  unmountOther: async (target, kept) => {
    if (!(await isMountPoint(target))) return;
    const there = await stat(target).catch(() => undefined);
    if (there?.dev === kept.dev && there.ino === kept.ino) return;
    // Lazily: a container that still has it keeps it.
    await exec('umount', ['--no-canonicalize', '--lazy', target]);
  },
  unmountAll: async (directory) => {
    const found = await mountsBelow(directory);
    for (const path of found.reverse()) await exec('umount', ['--no-canonicalize', path]).catch(() => {});
    // What is still used by something that was left is taken out of sight; it goes with its last user.
    for (const path of (await mountsBelow(directory)).reverse())
      await exec('umount', ['--no-canonicalize', '--lazy', path]).catch(() => {});
    const left = await mountsBelow(directory);
    if (left.length > 0) throw new Error(`still mounted: ${left.join(', ')}`);
  },
};

const run = (args: readonly string[], fd?: number) => exec('mount', args, fd);

function exec(program: string, args: readonly string[], fd?: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'ignore', 'pipe', ...(fd === undefined ? [] : [fd])],
    });
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString('utf8');
    });
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve() : reject(new Error(said.trim() || `${program} ended with ${code}`)),
    );
  });
}

const isMountPoint = async (path: string): Promise<boolean> => (await mountPoints()).includes(path);

/** In the order they were made. */
const mountsBelow = async (directory: string): Promise<string[]> =>
  (await mountPoints()).filter((path) => path === directory || path.startsWith(`${directory}/`));

async function mountPoints(): Promise<string[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  return table
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => unescaped(line.split(' ')[4] ?? ''));
}

/** The kernel writes blanks and the like as octal numbers. */
const unescaped = (path: string): string =>
  path.replace(/\\([0-7]{3})/g, (_written, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
