// A machine's disk in memory. What a program wrote is seen at once; what it did not flush may be gone, or cut short,
// after a power cut: the content of a file until the file is flushed, a name until its folder is.
import type { Files, OpenFile } from '@fleetset/agent/state/durable-file';
import type { Dice } from './dice.ts';
import { currentProgram, mayAct } from './program.ts';

interface Inode {
  content: Buffer;
  flushed: Buffer;
}

export interface MemoryDisk {
  /** For the program that runs. */
  readonly files: Files;
  /** What was not flushed is lost as the dice fall. */
  readonly cutPower: (dice: Dice) => void;
  /** From now on nothing can be written. */
  readonly setFull: (full: boolean) => void;
  /** As a program would see it. */
  readonly read: (path: string) => Buffer | undefined;
  readonly wipe: () => void;
}

export function createMemoryDisk(): MemoryDisk {
  let names = new Map<string, Inode>();
  let flushedNames = new Map<string, Inode>();
  let full = false;

  const find = (path: string): Inode => {
    const inode = names.get(path);
    if (!inode) throw failure('ENOENT', `no such file or directory, open '${path}'`);
    return inode;
  };
  const write = (inode: Inode, data: string | Uint8Array) => {
    if (full) {
      inode.content = Buffer.alloc(0);
      throw failure('ENOSPC', 'no space left on device, write');
    }
    inode.content = Buffer.from(data);
  };
  const flushFolder = (folder: string) => {
    const inside = (path: string) => path.slice(0, path.lastIndexOf('/')) === folder;
    const kept = [...flushedNames].filter(([path]) => !inside(path));
    flushedNames = new Map([...kept, ...[...names].filter(([path]) => inside(path))]);
  };
  const openFile = (inode: Inode): OpenFile => ({
    writeFile: (data) => io(() => write(inode, data)),
    sync: () =>
      io(() => {
        inode.flushed = inode.content;
      }),
    close: async () => {},
  });
  const openFolder = (path: string): OpenFile => ({
    writeFile: () => Promise.reject(failure('EISDIR', 'illegal operation on a directory, write')),
    sync: () => io(() => flushFolder(path)),
    close: async () => {},
  });

  return {
    files: {
      mkdir: async () => undefined,
      open: async (path, flags) => {
        if (flags === 'r') return openFolder(path);
        return io(() => {
          const before = names.get(path);
          const inode = before ?? { content: Buffer.alloc(0), flushed: Buffer.alloc(0) };
          inode.content = Buffer.alloc(0);
          names.set(path, inode);
          return openFile(inode);
        });
      },
      readFile: (path) => io(() => Buffer.from(find(path).content)),
      readdir: (folder) =>
        io(() =>
          [...names.keys()]
            .filter((path) => path.startsWith(`${folder}/`))
            .map((path) => path.slice(folder.length + 1)),
        ),
      rename: (from, to) =>
        io(() => {
          names.set(to, find(from));
          names.delete(from);
        }),
      rm: (path) => io(() => void names.delete(path)),
    },
    cutPower: (dice) => {
      const left = new Map<string, Inode>();
      for (const path of new Set([...names.keys(), ...flushedNames.keys()])) {
        const [seen, flushed] = [names.get(path), flushedNames.get(path)];
        const inode = seen === flushed || dice.chance(0.5) ? seen : flushed;
        if (inode) left.set(path, inode);
      }
      for (const inode of left.values()) {
        if (inode.content !== inode.flushed && dice.chance(0.7))
          inode.content = dice.chance(0.5)
            ? inode.flushed
            : inode.content.subarray(0, dice.int(0, inode.content.length));
        inode.flushed = inode.content;
      }
      names = left;
      flushedNames = new Map(left);
    },
    setFull: (is) => {
      full = is;
    },
    read: (path) => names.get(path)?.content,
    wipe: () => {
      names.clear();
      flushedNames.clear();
    },
  };
}

/** Done after a moment; never answered to a program that died meanwhile, though it may have been done. */
function io<T>(run: () => T): Promise<T> {
  const program = currentProgram();
  const { time } = program;
  return new Promise((resolve, reject) => {
    if (!mayAct(program)) return;
    time.after(0.05 + time.dice.next(), program, () => {
      try {
        resolve(run());
      } catch (error) {
        reject(error);
      }
    });
  });
}

const failure = (code: string, message: string): Error =>
  Object.assign(new Error(`${code}: ${message}`), { code });
