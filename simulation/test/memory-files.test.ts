// The disk in memory loses what a real one may lose, and nothing else.
import { readIfThere, settleFolder, writeDurable } from '@fleetset/agent/state/durable-file';
import { describe, expect, it } from 'vitest';
import { createDice } from '../src/dice.ts';
import { createMemoryDisk, type MemoryDisk } from '../src/memory-files.ts';
import { newProgram, runAs } from '../src/program.ts';
import { createVirtualTime } from '../src/virtual-time.ts';

/** The same write again and again, each time with the power cut after so many more of its steps. */
async function cutAfterEachStep(
  write: (disk: MemoryDisk, text: string) => Promise<void>,
): Promise<Set<string>> {
  const found = new Set<string>();
  for (let seed = 0; seed < 200; seed++) {
    const dice = createDice(seed);
    const time = createVirtualTime(dice, dice, () => {});
    const disk = createMemoryDisk();
    const program = newProgram('writer', time);
    time.after(0, program, () => void write(disk, 'the old text').then(() => write(disk, 'a new text')));
    await time.runUntil(seed / 10);
    program.alive = false;
    disk.cutPower(dice);
    found.add(String(disk.read('/data/file') ?? 'nothing'));
  }
  return found;
}

describe('after a power cut', () => {
  it('a durable file is the old one or the new one, whole', async () => {
    const found = await cutAfterEachStep((disk, text) => writeDurable('/data/file', text, 0o600, disk.files));
    expect([...found].sort()).toEqual(['a new text', 'nothing', 'the old text']);
  });

  it('one that was not flushed may be cut short', async () => {
    const found = await cutAfterEachStep(async ({ files }, text) => {
      const file = await files.open('/data/file.new', 'w', 0o600);
      await file.writeFile(text);
      await files.rename('/data/file.new', '/data/file');
    });
    expect(found.size).toBeGreaterThan(5);
  });

  it('one that was found in a settled folder is there still, also when who wrote it was ended before that', async () => {
    let found = 0;
    for (let seed = 0; seed < 200; seed++) {
      const dice = createDice(seed);
      const time = createVirtualTime(dice, dice, () => {});
      const disk = createMemoryDisk();
      const [writer, reader] = [newProgram('writer', time), newProgram('reader', time)];
      time.after(0, writer, () => void writeDurable('/data/file', 'text', 0o600, disk.files));
      await time.runUntil(seed / 30);
      writer.alive = false;
      let seen = '';
      const read = async () => {
        await settleFolder('/data', disk.files);
        seen = String((await readIfThere('/data/file', disk.files)) ?? '');
      };
      time.after(0, reader, () => void read());
      await time.runUntil(seed / 30 + 10);
      disk.cutPower(dice);
      if (seen) expect(String(disk.read('/data/file'))).toBe(seen);
      if (seen) found += 1;
    }
    expect(found).toBeGreaterThan(20);
  });

  it('one whose folder was not flushed may be gone', async () => {
    const found = await cutAfterEachStep(async ({ files }, text) => {
      const file = await files.open('/data/file', 'w', 0o600);
      await file.writeFile(text);
      await file.sync();
    });
    expect(found).toContain('nothing');
  });
});

describe('a program that was killed', () => {
  it('has written what it wrote before, and writes nothing more', async () => {
    const time = createVirtualTime(createDice(1), createDice(2), () => {});
    const disk = createMemoryDisk();
    const program = newProgram('writer', time);
    const write = (name: string) => writeDurable(`/data/${name}`, 'text', 0o600, disk.files);
    time.after(0, program, () => void write('first').then(() => write('second')));
    await time.runUntil(1000, () => disk.read('/data/first') !== undefined);
    program.alive = false;
    await time.runUntil(2000);
    expect(String(disk.read('/data/first'))).toBe('text');
    expect(disk.read('/data/second')).toBeUndefined();
    expect(runAs(program, () => performance.now())).toBe(2000);
  });
});
