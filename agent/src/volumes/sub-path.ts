// A path inside a volume that containers can write to. Such a container could put a link to anywhere in its place, so
// the way is walked by open directories, never through a link, and what was opened is what is bound.
import {
  chmod,
  constants,
  type FileHandle,
  mkdir,
  open,
  realpath,
  rmdir,
  stat,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { Mounts } from './mounts.ts';

/** Linux' O_PATH, which Node does not name: a handle on a place, without the right to read it. */
const O_PATH = 0o10000000;

/**
 * Binds `subPath` of the volume at `root` to `target` and makes it a directory when it is missing. What was bound there
 * for a container before may have been replaced since: then it gives way. Throws when it leads out of the volume.
 */
export async function bindSubPath(
  mounts: Mounts,
  root: string,
  subPath: string,
  target: string,
): Promise<void> {
  const handle = await openInside(await realpath(root), subPath);
  try {
    const found = await handle.stat();
    await mounts.unmountOther(target, found);
    await makePlace(target, found.isDirectory());
    await mounts.bind(handle.fd, target);
  } finally {
    await handle.close();
  }
}

async function makePlace(target: string, isDirectory: boolean): Promise<void> {
  const there = await stat(target).catch(() => undefined);
  if (there && there.isDirectory() !== isDirectory) await (isDirectory ? unlink(target) : rmdir(target));
  await mkdir(isDirectory ? target : dirname(target), { recursive: true });
  if (!isDirectory) await writeFile(target, '', { flag: 'a' });
}

async function openInside(root: string, subPath: string): Promise<FileHandle> {
  const parts = subPath.split('/').filter((part) => part !== '' && part !== '.');
  const known = await knownPart(root, parts);
  const inside = relative(root, known.path);
  if (inside.split('/')[0] === '..')
    throw new Error(`subPath ${JSON.stringify(subPath)} leads out of its volume`);
  const { mode } = await stat(root);
  let handle = await open(root, O_PATH | constants.O_DIRECTORY);
  const step = async (name: string) => {
    const next = await openStep(handle, name);
    await handle.close();
    handle = next;
  };
  try {
    for (const name of inside.split('/').filter((part) => part !== '')) await step(name);
    for (const name of known.missing) {
      await mkdir(`/proc/self/fd/${handle.fd}/${name}`).catch((error: NodeJS.ErrnoException) => {
        // Not Node's words: the handle's number in them is another each time.
        const why = error.code === 'EEXIST' ? 'a link to nothing is in its place' : error.code;
        throw new Error(`directory ${JSON.stringify(name)} cannot be made: ${why}`, { cause: error });
      });
      await step(name);
      // By itself: the agent's umask must not have a say.
      await chmod(`/proc/self/fd/${handle.fd}`, mode & 0o2777);
    }
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** How far the way is there already, links followed; and what is missing of it. */
async function knownPart(root: string, parts: readonly string[]) {
  for (let length = parts.length; length > 0; length--) {
    try {
      return { path: await realpath(join(root, ...parts.slice(0, length))), missing: parts.slice(length) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return { path: root, missing: parts };
}

async function openStep(from: FileHandle, name: string): Promise<FileHandle> {
  const handle = await open(`/proc/self/fd/${from.fd}/${name}`, O_PATH | constants.O_NOFOLLOW);
  if (!(await handle.stat()).isSymbolicLink()) return handle;
  await handle.close();
  throw new Error(`${JSON.stringify(name)} became a link meanwhile`);
}
