// Files that survive a power cut at any moment: written beside, flushed, then put in place.
import * as machine from 'node:fs/promises';
import { dirname } from 'node:path';

/** What is asked of the file system, as node:fs/promises does it; tests have another. */
export interface Files {
  readonly mkdir: (path: string, options: { recursive: true; mode: number }) => Promise<unknown>;
  readonly open: (path: string, flags: 'r' | 'w', mode?: number) => Promise<OpenFile>;
  readonly readFile: (path: string) => Promise<Buffer>;
  readonly readdir: (path: string) => Promise<readonly string[]>;
  readonly rename: (from: string, to: string) => Promise<void>;
  readonly rm: (path: string, options: { force: true }) => Promise<void>;
}

export interface OpenFile {
  readonly writeFile: (data: string | Uint8Array) => Promise<void>;
  readonly sync: () => Promise<void>;
  readonly close: () => Promise<void>;
}

export const MACHINE_FILES: Files = machine;

export async function writeDurable(
  path: string,
  data: string | Uint8Array,
  mode = 0o600,
  files = MACHINE_FILES,
): Promise<void> {
  await putInPlace(path, data, mode, files);
  await settleFolder(dirname(path), files);
}

/** Whole or not there after a power cut; there for certain once its folder is settled. */
export async function putInPlace(
  path: string,
  data: string | Uint8Array,
  mode: number,
  files: Files,
): Promise<void> {
  const beside = `${path}.new`;
  try {
    const file = await openToWrite(beside, mode, files);
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await files.rename(beside, path);
  } catch (error) {
    await files.rm(beside, { force: true }).catch(() => {});
    throw error;
  }
}

/**
 * What is found in it after this outlives a power cut. Whoever put a file in place may have been ended before its name
 * was flushed: who goes by such a file unsettled may be told by the next start that it was another. Throws where the
 * folder cannot be flushed; in one that is not there nothing is found.
 */
export async function settleFolder(directory: string, files = MACHINE_FILES): Promise<void> {
  const folder = await openFolder(directory, files);
  if (!folder) return;
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function openFolder(path: string, files: Files): Promise<OpenFile | undefined> {
  try {
    return await files.open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The folder is mostly there. */
async function openToWrite(path: string, mode: number, files: Files): Promise<OpenFile> {
  try {
    return await files.open(path, 'w', mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const directory = dirname(path);
    await files.mkdir(directory, { recursive: true, mode: 0o700 });
    await settleFolder(dirname(directory), files);
    return files.open(path, 'w', mode);
  }
}

/** Undefined when there is no such file. */
export async function readIfThere(path: string, files = MACHINE_FILES): Promise<Buffer | undefined> {
  try {
    return await files.readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
