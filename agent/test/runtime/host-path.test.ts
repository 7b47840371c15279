// hostPath volumes by their type, on real files (rule 105).
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareHostPath } from '../../src/runtime/host-path.ts';

let directory: string;
let socket: Server;
const at = (name: string) => join(directory, name);

const THINGS = [
  'directory',
  'file',
  'socket',
  'character',
  'fifo',
  'link-to-directory',
  'link-to-file',
  'absent',
];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fleetset-host-path-'));
  await mkdir(at('directory'));
  await writeFile(at('file'), 'kept');
  await chmod(at('file'), 0o600);
  socket = createServer().listen(at('socket'));
  await once(socket, 'listening');
  execFileSync('mkfifo', [at('fifo')]);
  await symlink('/dev/null', at('character'));
  await symlink(at('directory'), at('link-to-directory'));
  await symlink(at('file'), at('link-to-file'));
});
afterAll(async () => {
  socket.close();
  await rm(directory, { recursive: true, force: true });
});

describe.each<[string, readonly string[]]>([
  ['', ['directory', 'file', 'socket', 'character', 'fifo', 'link-to-directory', 'link-to-file', 'absent']],
  ['Directory', ['directory', 'link-to-directory']],
  ['DirectoryOrCreate', ['directory', 'link-to-directory', 'absent']],
  ['File', ['file', 'link-to-file']],
  ['FileOrCreate', ['file', 'link-to-file', 'absent']],
  ['Socket', ['socket']],
  ['CharDevice', ['character']],
  ['BlockDevice', []],
])('type %j', (type, accepted) => {
  it.each(THINGS.map((thing) => [thing, accepted.includes(thing)] as const))(
    '%s: %s',
    async (thing, good) => {
      const path = thing === 'absent' ? at(`absent-${type}`) : at(thing);
      const outcome = prepareHostPath(path, type);
      if (good) await outcome;
      else await expect(outcome).rejects.toThrow(`hostPath type check failed: ${path} is not a`);
    },
  );
});

describe('what is made', () => {
  it('is a directory of 0755 with those above it', async () => {
    await prepareHostPath(at('deep/deeper/new'), 'DirectoryOrCreate');
    expect((await stat(at('deep/deeper/new'))).mode).toBe(0o40755);
    await prepareHostPath(at('plain/new'), '');
    expect((await stat(at('plain/new'))).isDirectory()).toBe(true);
  });

  it('is an empty file of 0644, in a directory that must be there', async () => {
    await prepareHostPath(at('new-file'), 'FileOrCreate');
    expect(await stat(at('new-file'))).toMatchObject({ mode: 0o100644, size: 0 });
    await expect(prepareHostPath(at('nowhere/file'), 'FileOrCreate')).rejects.toThrow(/ENOENT/);
  });

  it('is nothing where there is something: content and mode stay', async () => {
    await prepareHostPath(at('file'), 'FileOrCreate');
    await prepareHostPath(at('file'), '');
    expect(await stat(at('file'))).toMatchObject({ mode: 0o100600, size: 4 });
  });

  it('is nothing for a type that Kubernetes does not have', async () => {
    await expect(prepareHostPath(at('file'), 'Anything')).rejects.toThrow('is not of a known type');
  });

  it('is nothing below a file', async () => {
    await expect(prepareHostPath(at('file/below'), 'DirectoryOrCreate')).rejects.toThrow(/ENOTDIR/);
  });
});

it('of a relative path is refused, and nothing is made', async () => {
  const name = 'fleetset-relative-path';
  await expect(prepareHostPath(name, 'DirectoryOrCreate')).rejects.toThrow(
    'hostPath fleetset-relative-path is not an absolute path',
  );
  await expect(stat(name)).rejects.toThrow('ENOENT');
});
