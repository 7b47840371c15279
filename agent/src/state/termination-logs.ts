// The files in which containers leave a last word (terminationMessagePath): one for each attempt, mounted into it, and
// read when it has ended.
import { chmod, mkdir, open, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface TerminationLogs {
  /** Makes an empty one that everybody may write to, and answers where it is. */
  readonly make: (podUid: string, container: string, attempt: number) => Promise<string>;
  /** The end of it; empty when there is none. */
  readonly read: (podUid: string, container: string, attempt: number) => Promise<string>;
  readonly remove: (podUid: string) => Promise<void>;
}

/** As kubelet shows at most. */
const LIMIT_BYTES = 4096;
/** Of a container the engine keeps the last two attempts, and one may be under way. */
const KEPT_ATTEMPTS = 3;

/** `directory`: the engine sees it under the same path. */
export function openTerminationLogs(directory: string): TerminationLogs {
  const folder = (podUid: string) => join(directory, podUid);
  const file = (container: string, attempt: number) => `${container}_${attempt}`;
  return {
    make: async (podUid, container, attempt) => {
      await mkdir(folder(podUid), { recursive: true, mode: 0o755 });
      await dropOlder(folder(podUid), container, attempt - KEPT_ATTEMPTS);
      const path = join(folder(podUid), file(container, attempt));
      await writeFile(path, '');
      await chmod(path, 0o666);
      return path;
    },
    read: async (podUid, container, attempt) => {
      try {
        return await readEnd(join(folder(podUid), file(container, attempt)));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
        return `Error on reading termination log: ${(error as Error).message}`;
      }
    },
    remove: (podUid) => rm(folder(podUid), { recursive: true, force: true }),
  };
}

async function dropOlder(folder: string, container: string, last: number): Promise<void> {
  for (const name of await readdir(folder)) {
    const [, of, attempt] = /^(.*)_(\d+)$/.exec(name) ?? [];
    if (of === container && Number(attempt) <= last) await rm(join(folder, name), { force: true });
  }
}

async function readEnd(path: string): Promise<string> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    const length = Math.min(size, LIMIT_BYTES);
    const buffer = Buffer.alloc(length);
    const { bytesRead } = await handle.read(buffer, 0, length, size - length);
    return buffer.subarray(0, bytesRead).toString('utf8');
  } finally {
    await handle.close();
  }
}
