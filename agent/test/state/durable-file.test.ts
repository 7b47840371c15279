// A file is the old or the new one, whatever happens while it is written.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readIfThere, writeDurable } from '../../src/state/durable-file.ts';
import { smallDisk, smallDisksWork } from '../small-disk.ts';
import { tempDirectory } from '../temp-directory.ts';

describe('a durable file', () => {
  it('is whole after each of many kills in the middle of writing', async () => {
    const path = join(await tempDirectory(), 'state');
    const KILLS = 8;
    for (let kill = 0; kill < KILLS; kill++) {
      const writer = spawn(process.execPath, [join(import.meta.dirname, 'write-for-ever.ts'), path]);
      const ended = once(writer, 'exit');
      let writes = 0;
      // After one more write each time, and at another point of the next.
      writer.stdout.on('data', (dots: Buffer) => {
        writes += dots.length;
        if (writes > kill) setImmediate(() => writer.kill('SIGKILL'));
      });
      expect((await ended)[1]).toBe('SIGKILL');
      const [first, body = '', last] = (await readFile(path, 'utf8')).split('\n');
      expect(last).toBe(first);
      expect(body.length).toBe(1 << 20);
      expect(new Set(body)).toEqual(new Set([String(Number(first) % 10)]));
    }
  });

  it('takes no notice of what an earlier kill left beside it', async () => {
    const directory = await tempDirectory();
    const path = join(directory, 'state');
    await writeDurable(path, 'old');
    await writeFile(`${path}.new`, 'a longer text that a kill cut sho');
    expect(String(await readIfThere(path))).toBe('old');
    await writeDurable(path, 'new');
    expect(String(await readIfThere(path))).toBe('new');
    expect(await readdir(directory)).toEqual(['state']);
  });

  it('makes the directories above it, for its owner alone, and is itself for its owner alone', async () => {
    const directory = join(await tempDirectory(), 'a', 'b');
    await writeDurable(join(directory, 'state'), 'secret');
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect((await stat(join(directory, 'state'))).mode & 0o777).toBe(0o600);
    await writeDurable(join(directory, 'public'), 'open', 0o644);
    expect((await stat(join(directory, 'public'))).mode & 0o777).toBe(0o644);
  });

  it('that cannot be put in place leaves nothing beside it', async () => {
    const directory = await tempDirectory();
    await mkdir(join(directory, 'state', 'in the way'), { recursive: true });
    await expect(writeDurable(join(directory, 'state'), 'x')).rejects.toThrow();
    expect(await readdir(directory)).toEqual(['state']);
  });

  it.skipIf(!smallDisksWork)(
    'is the old one when the disk is full, and the new one when there is room again',
    async () => {
      const disk = smallDisk();
      const path = join(disk.directory, 'state');
      await writeDurable(path, 'old');
      await disk.fill();
      await expect(writeDurable(path, 'n'.repeat(5000))).rejects.toMatchObject({ code: 'ENOSPC' });
      expect(String(await readIfThere(path))).toBe('old');
      expect(await readdir(disk.directory)).not.toContain('state.new');
      await disk.free();
      await writeDurable(path, 'new');
      expect(String(await readIfThere(path))).toBe('new');
    },
  );

  it('that is not there reads as nothing; one that cannot be read is an error', async () => {
    const directory = await tempDirectory();
    expect(await readIfThere(join(directory, 'none'))).toBeUndefined();
    await expect(readIfThere(directory)).rejects.toMatchObject({ code: 'EISDIR' });
  });
});
