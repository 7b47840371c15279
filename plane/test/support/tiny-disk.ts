// A disk of a size of one's own choosing: a tmpfs, mounted where the test may.
import { spawnSync } from 'node:child_process';
import { statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tempDir } from './temp-dir.ts';

export interface TinyDisk {
  readonly directory: string;
  /** Leaves so many bytes free, no more; pages are whole. */
  readonly fillBut: (bytes: number) => void;
  readonly free: () => void;
  readonly unmount: () => void;
}

export function mountTinyDisk(kilobytes: number): TinyDisk | undefined {
  const directory = tempDir('disk');
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', directory]);
  if (mounted.status !== 0) return undefined;
  const ballast = join(directory, 'ballast');
  return {
    directory,
    fillBut: (bytes) => {
      writeFileSync(ballast, '');
      const { bavail, bsize } = statfsSync(directory);
      writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - bytes), 1));
    },
    free: () => writeFileSync(ballast, ''),
    unmount: () => void spawnSync('umount', ['-l', directory]),
  };
}

/** Why there is none, for the test's name. */
export const canMount = (): boolean => {
  const disk = mountTinyDisk(64);
  disk?.unmount();
  return disk !== undefined;
};
