// The files of a volume, changed all at once as kubelet does it: they lie in a directory of their own to which `..data`
// points, every visible name leads through `..data`, and an update puts another directory in its place.
import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { utcText } from '@fleetset/scheduler-core/utc-text';

export interface AtomicFile {
  /** Relative; may have directories in it. */
  readonly path: string;
  readonly mode: number;
  /** Absent: root. */
  readonly user?: number;
  readonly content: Buffer;
}

/** What leads to the files as they are now. */
export const DATA = '..data';
const GROUP_MAY_READ = 0o440;
const SET_GROUP = 0o2000;

/** Whether something was ever written there. */
export const hasFiles = async (directory: string): Promise<boolean> =>
  (await readlink(join(directory, DATA)).catch(() => undefined)) !== undefined;

/** `group`: who else may read them (fsGroup). Does nothing when they are there already. */
export async function writeAtomically(
  directory: string,
  files: readonly AtomicFile[],
  group?: number,
): Promise<void> {
  const wanted = files.map((file) =>
    group === undefined ? file : { ...file, mode: file.mode | GROUP_MAY_READ },
  );
  const before = await readlink(join(directory, DATA)).catch(() => undefined);
  if (before === undefined || !(await isSame(join(directory, before), wanted, group))) {
    const fresh = await writeFresh(directory, wanted, group);
    await putInPlace(directory, fresh);
  }
  await linkNames(directory, new Set(files.map(({ path }) => path.split('/')[0] ?? '')));
  await dropOthers(directory);
}

/** Answers the name of the new directory. */
async function writeFresh(
  directory: string,
  files: readonly AtomicFile[],
  group: number | undefined,
): Promise<string> {
  const stamp = utcText(Date.now()).slice(0, -1).replace(/[-T:]/g, '_');
  const fresh = await mkdtemp(join(directory, `..${stamp}.`));
  // Each mode is set by itself: the agent's umask must not have a say.
  const own = async (path: string, mode: number, user = 0) => {
    if (group !== undefined || user !== 0) await chown(path, user, group ?? 0);
    await chmod(path, mode);
  };
  const directoryMode = group === undefined ? 0o755 : 0o755 | SET_GROUP;
  await own(fresh, directoryMode);
  for (const { path, mode, user, content } of files) {
    const folders = path.split('/').slice(0, -1);
    for (let depth = 1; depth <= folders.length; depth++) {
      const folder = join(fresh, ...folders.slice(0, depth));
      if (await mkdir(folder, { recursive: true })) await own(folder, directoryMode);
    }
    await writeFile(join(fresh, path), content, { mode: 0o600 });
    await own(join(fresh, path), mode, user);
  }
  return fresh.slice(directory.length + 1);
}

async function putInPlace(directory: string, fresh: string): Promise<void> {
  const beside = join(directory, '..data_tmp');
  await rm(beside, { force: true });
  await symlink(fresh, beside);
  await rename(beside, join(directory, DATA));
}

/** What is no link was made for a mount, and stays. */
async function linkNames(directory: string, names: ReadonlySet<string>): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true });
  const there = entries.filter(({ name }) => !name.startsWith('..'));
  for (const entry of there)
    if (entry.isSymbolicLink() && !names.has(entry.name)) await rm(join(directory, entry.name));
  const places = new Set(there.filter((entry) => !entry.isSymbolicLink()).map(({ name }) => name));
  for (const name of names) {
    if (places.has(name)) continue;
    const link = join(directory, name);
    const target = `${DATA}/${name}`;
    if ((await readlink(link).catch(() => undefined)) === target) continue;
    await rm(link, { force: true });
    await symlink(target, link);
  }
}

/** Of updates before, and of one that was broken off. */
async function dropOthers(directory: string): Promise<void> {
  const current = await readlink(join(directory, DATA));
  for (const name of await readdir(directory))
    if (name.startsWith('..') && name !== DATA && name !== current)
      await rm(join(directory, name), { force: true, recursive: true });
}

async function isSame(
  directory: string,
  files: readonly AtomicFile[],
  group: number | undefined,
): Promise<boolean> {
  try {
    const there = (await readdir(directory, { recursive: true, withFileTypes: true })).filter(
      (entry) => !entry.isDirectory(),
    );
    if (there.length !== new Set(files.map(({ path }) => path)).size) return false;
    for (const { path, mode, user, content } of files) {
      const stats = await lstat(join(directory, path));
      if (!stats.isFile() || (stats.mode & 0o777) !== mode) return false;
      if (stats.uid !== (user || process.getuid?.()) || stats.gid !== (group ?? stats.gid)) return false;
      if (!(await readFile(join(directory, path))).equals(content)) return false;
    }
    return true;
  } catch {
    return false;
  }
}
