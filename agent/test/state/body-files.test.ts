// Bodies by the hash of their content: only what fits its name is believed.
import * as machine from 'node:fs/promises';
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BadBody, openBodyFiles } from '../../src/state/body-files.ts';
import { body } from '../desired.ts';
import { smallDisk, smallDisksWork } from '../small-disk.ts';
import { tempDirectory } from '../temp-directory.ts';

const [one, two, three] = [body({ one: 1 }), body({ two: 2 }), body({ three: 3 })];

describe('bodies', () => {
  it('that were put are there, also for the next who opens them', async () => {
    const directory = join(await tempDirectory(), 'bodies');
    const files = await openBodyFiles(directory);
    await files.put([one]);
    for (const opened of [files, await openBodyFiles(directory)]) {
      expect(opened.get(one.hash)).toEqual({ one: 1 });
      expect(opened.get(two.hash)).toBeUndefined();
    }
  });

  it.each<[string, string, Buffer]>([
    ['whose content is another', one.hash, two.content],
    ['whose content was cut short', one.hash, one.content.subarray(0, -1)],
    ['that is not JSON', body([]).hash, Buffer.from('[')],
    ['whose name is a path', '../../etc/passwd', one.content],
    ['whose hash is written in capitals', one.hash.toUpperCase(), one.content],
  ])('a body %s is refused and not written', async (_name, hash, content) => {
    const directory = join(await tempDirectory(), 'bodies');
    const files = await openBodyFiles(directory);
    await expect(files.put([{ hash, content }])).rejects.toBeInstanceOf(BadBody);
    expect(files.get(hash)).toBeUndefined();
    expect(await readdir(directory)).toEqual([]);
  });

  it('of many that come together one that is bad is named, the others may be there; one that comes twice is one', async () => {
    const directory = join(await tempDirectory(), 'bodies');
    const files = await openBodyFiles(directory);
    const many = Array.from({ length: 40 }, (_none, index) => body({ index }));
    await expect(files.put([one, { hash: two.hash, content: three.content }])).rejects.toThrow(
      `body ${two.hash.slice(0, 12)}`,
    );
    await files.put([...many, one].flatMap((each) => [each, each]));
    expect([...many, one, two].filter(({ hash }) => !files.get(hash))).toEqual([two]);
    expect((await readdir(directory)).length).toBe(many.length + 1);
  });

  it('count once their folder is flushed, which is done once for all that come together', async () => {
    const directory = join(await tempDirectory(), 'bodies');
    const done: string[] = [];
    let known = (): unknown => undefined;
    const files = await openBodyFiles(directory, {
      ...machine,
      rename: async (from, to) => {
        await machine.rename(from, to);
        done.push('in place');
      },
      open: async (path, flags, mode) => {
        const file = await machine.open(path, flags, mode);
        const sync = async () => {
          await file.sync();
          if (path === directory) done.push(known() === undefined ? 'flushed' : 'known before');
        };
        return { writeFile: (data) => file.writeFile(data), sync, close: () => file.close() };
      },
    });
    // The key too is made by now.
    await files.put([three]);
    done.length = 0;
    known = () => files.get(one.hash) ?? files.get(two.hash);
    await files.put([one, two]);
    expect(done).toEqual(['in place', 'in place', 'flushed']);
    expect(known()).toEqual({ one: 1 });
  });

  it.each(['null', '3', '"text"', 'true'])('%s is JSON but no body', async (text) => {
    const { createHash } = await import('node:crypto');
    const hash = createHash('sha256').update(text).digest('hex');
    await expect(
      (await openBodyFiles(join(await tempDirectory(), 'bodies'))).put([
        { hash, content: Buffer.from(text) },
      ]),
    ).rejects.toBeInstanceOf(BadBody);
  });

  it('keep only what is wanted, on disk too', async () => {
    const directory = join(await tempDirectory(), 'bodies');
    const files = await openBodyFiles(directory);
    await files.put([one, two, three]);
    await files.keepOnly(new Set([two.hash, 'f'.repeat(64)]));
    expect([one, two, three].map(({ hash }) => files.get(hash))).toEqual([undefined, { two: 2 }, undefined]);
    expect(await readdir(directory)).toEqual([two.hash]);
  });

  it('any beginning of a body, or any changed byte of it, is as if it were not there; the others are', async () => {
    const directory = join(await tempDirectory(), 'bodies');
    const path = join(directory, one.hash);
    const whole = await openBodyFiles(directory);
    await whole.put([one, two]);
    const stored = await readFile(path);
    const damaged = [one.content, stored].flatMap((sound) => [
      ...Array.from(sound.keys(), (length) => sound.subarray(0, length)),
      ...Array.from(sound.keys(), (at) => Buffer.from(sound).fill((sound[at] ?? 0) ^ 1, at, at + 1)),
    ]);
    for (const content of damaged) {
      await writeFile(path, content);
      const files = await openBodyFiles(directory);
      expect(files.get(one.hash)).toBeUndefined();
      expect(files.get(two.hash)).toEqual({ two: 2 });
    }
    const files = await openBodyFiles(directory);
    await files.put([one]);
    expect((await openBodyFiles(directory)).get(one.hash)).toEqual({ one: 1 });
  });

  it('lie encrypted on the disk, with a key beside them that is for root alone', async () => {
    const directory = join(await tempDirectory(), 'bodies');
    const secret = body({ data: { password: 'aHVudGVyMg==' } });
    await (await openBodyFiles(directory)).put([secret]);
    expect((await readFile(join(directory, secret.hash))).includes('aHVudGVyMg==')).toBe(false);
    const key = `${directory}.key`;
    expect((await stat(key)).mode & 0o777).toBe(0o600);
    expect((await openBodyFiles(directory)).get(secret.hash)).toBeDefined();
    // Without the key nothing can be read; what is wanted is asked for again.
    await writeFile(key, Buffer.alloc(32));
    const without = await openBodyFiles(directory);
    expect(without.get(secret.hash)).toBeUndefined();
    await without.put([secret]);
    expect((await openBodyFiles(directory)).get(secret.hash)).toBeDefined();
  });

  it('of an agent that did not encrypt them are still read', async () => {
    const directory = join(await tempDirectory(), 'bodies');
    await mkdir(directory);
    await writeFile(join(directory, one.hash), one.content);
    expect((await openBodyFiles(directory)).get(one.hash)).toEqual({ one: 1 });
  });

  it('that cannot be read for a while are not thrown away', async () => {
    const directory = join(await tempDirectory(), 'bodies');
    await mkdir(directory);
    const path = join(directory, one.hash);
    // Two links in a circle: an error that is not about the content.
    await symlink(join(directory, '..', 'elsewhere'), path);
    await symlink(path, join(directory, '..', 'elsewhere'));
    expect((await openBodyFiles(directory)).get(one.hash)).toBeUndefined();
    await rm(join(directory, '..', 'elsewhere'));
    await writeFile(join(directory, '..', 'elsewhere'), one.content);
    expect((await openBodyFiles(directory)).get(one.hash)).toEqual({ one: 1 });
  });

  it('what kills left beside them is cleared away, what is somebody else’s is not in the way', async () => {
    const directory = join(await tempDirectory(), 'bodies');
    await (await openBodyFiles(directory)).put([one]);
    await writeFile(join(directory, `${two.hash}.new`), 'half of a bo');
    await mkdir(join(directory, three.hash));
    const files = await openBodyFiles(directory);
    expect(files.get(one.hash)).toEqual({ one: 1 });
    expect((await readdir(directory)).sort()).toEqual([one.hash, three.hash].sort());
  });

  it.skipIf(!smallDisksWork)('that a full disk cannot take are not there, and can be put later', async () => {
    const disk = smallDisk();
    const files = await openBodyFiles(join(disk.directory, 'bodies'));
    await disk.fill();
    const big = body({ text: 'x'.repeat(9000) });
    await expect(files.put([big])).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(files.get(big.hash)).toBeUndefined();
    await disk.free();
    await files.put([big]);
    expect(files.get(big.hash)).toBeDefined();
  });
});
