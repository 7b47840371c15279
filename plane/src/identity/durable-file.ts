// Files that a power cut leaves as they were before or as they are to be: never half, never empty.
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

export function writeDurable(path: string, text: string, mode: number): void {
  const beside = `${path}.new`;
  try {
    writeFileSync(beside, text, { mode, flush: true });
    renameSync(beside, path);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
  settleFolder(dirname(path));
}

/** What is found in it after this is not gone after a power cut: who put it there may have been ended before. */
export function settleFolder(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
