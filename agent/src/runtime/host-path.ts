// hostPath volumes are what their type says, or are made, before a container gets them (rule 105).

import type { Stats } from 'node:fs';
import { mkdir, open, stat } from 'node:fs/promises';
import { isAbsolute } from 'node:path';

/** Throws an Error whose message is Kubernetes' ("hostPath type check failed: ..."). */
export async function prepareHostPath(path: string, type: string): Promise<void> {
  if (!isAbsolute(path)) throw new Error(`hostPath ${path} is not an absolute path`);
  const found = await statOf(path);
  switch (type) {
    case '':
      // Kubernetes lets the engine decide; Docker refuses a bind of nothing, so the directory is made.
      if (!found) await mkdir(path, { recursive: true, mode: 0o755 });
      return;
    case 'DirectoryOrCreate':
      if (!found) await mkdir(path, { recursive: true, mode: 0o755 });
      else requireKind(path, found, 'Directory');
      return;
    case 'FileOrCreate':
      if (!found) await (await open(path, 'a', 0o644)).close();
      else requireKind(path, found, 'File');
      return;
    default:
      requireKind(path, found, type);
  }
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

const KINDS: { readonly [type: string]: readonly [what: string, is: (stats: Stats) => boolean] } = {
  Directory: ['a directory', (stats) => stats.isDirectory()],
  File: ['a file', (stats) => stats.isFile()],
  Socket: ['a socket file', (stats) => stats.isSocket()],
  CharDevice: ['a character device', (stats) => stats.isCharacterDevice()],
  BlockDevice: ['a block device', (stats) => stats.isBlockDevice()],
};

function requireKind(path: string, found: Stats | undefined, type: string): void {
  const [what, is] = KINDS[type] ?? ['of a known type', () => false];
  if (found && is(found)) return;
  throw new Error(`hostPath type check failed: ${path} is not ${what}`);
}
