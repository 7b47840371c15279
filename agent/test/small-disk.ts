// A disk of a few kilobytes that can be filled and freed. Needs root and the right to mount.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

const mount = (directory: string) =>
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', directory], { stdio: 'ignore' });

/** Whether this machine lets us have one; a test that cannot have it is skipped. */
export const smallDisksWork: boolean = (() => {
  const directory = mkdtempSync(join(tmpdir(), 'fleetset-small-disk-'));
  try {
    mount(directory);
    execFileSync('umount', [directory]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
})();

export interface SmallDisk {
  readonly directory: string;
  readonly fill: () => Promise<void>;
  readonly free: () => Promise<void>;
}

export function smallDisk(): SmallDisk {
  const directory = mkdtempSync(join(tmpdir(), 'fleetset-small-disk-'));
  mount(directory);
  onTestFinished(() => {
    execFileSync('umount', ['-l', directory]);
    rmSync(directory, { recursive: true, force: true });
  });
  const ballast = join(directory, 'ballast');
  return {
    directory,
    // To the last byte: what fits of the write stays.
    fill: () => writeFile(ballast, Buffer.alloc(1 << 20)).catch(() => {}),
    free: () => rm(ballast, { force: true }),
  };
}
