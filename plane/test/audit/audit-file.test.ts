// The file of the audit log: it turns over, and a disk that is full or slow neither stops nor fills the plane.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { open as openAsync } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AuditFile, type AuditFileOptions, openAuditFile } from '../../src/audit/audit-file.ts';
import { tempDir } from '../support/temp-dir.ts';
import { canMount, mountTinyDisk, type TinyDisk } from '../support/tiny-disk.ts';
import { until } from '../support/until.ts';

const DAY_MS = 86_400_000;
const START = Date.parse('2026-11-22T10:00:00.000Z');
let path: string;
let now: number;
let troubles: string[];
let open: AuditFile[];
beforeEach(() => {
  path = join(tempDir(), 'audit.log');
  now = START;
  troubles = [];
  open = [];
});
afterEach(() => Promise.all(open.map((file) => file.close())));

function openFile(options: Partial<AuditFileOptions> = {}): AuditFile {
  const file = openAuditFile({
    path,
    maxSizeBytes: 100,
    maxAgeMs: 0,
    maxBackups: 0,
    wallNow: () => now,
    onTrouble: (_, error) => troubles.push((error as Error).message),
    onRecovery: (lost) => troubles.push(`recovered, ${lost} missing`),
    ...options,
  });
  open.push(file);
  return file;
}

const all = (file: AuditFile, count: number) =>
  until('all is written', () => file.counts().written + file.counts().lost === count);
const others = () =>
  readdirSync(dirname(path))
    .filter((name) => name !== 'audit.log')
    .sort();

async function writeEach(file: AuditFile, lines: readonly string[], tickMs = 1000): Promise<void> {
  const before = file.counts().written;
  for (const [index, line] of lines.entries()) {
    file.write(line);
    await all(file, before + index + 1);
    now += tickMs;
  }
}

describe('the file', () => {
  it('turns over before it would grow beyond its size, and no line is in two or in none', async () => {
    const file = openFile();
    const lines = Array.from({ length: 5 }, (_, n) => `${n}`.repeat(60));
    await writeEach(file, lines);
    expect(others()).toEqual([
      'audit-2026-11-22T10-00-01.000.log',
      'audit-2026-11-22T10-00-02.000.log',
      'audit-2026-11-22T10-00-03.000.log',
      'audit-2026-11-22T10-00-04.000.log',
    ]);
    const texts = [...others().map((name) => join(dirname(path), name)), path].map((name) =>
      readFileSync(name, 'utf8'),
    );
    expect(texts).toEqual(lines.map((line) => `${line}\n`));
  });

  it('goes on where it was when the plane starts again', async () => {
    writeFileSync(path, `${'a'.repeat(30)}\n`);
    const file = openFile();
    await writeEach(file, ['b'.repeat(30), 'c'.repeat(60)]);
    expect(others()).toHaveLength(1);
    expect(readFileSync(path, 'utf8')).toBe(`${'c'.repeat(60)}\n`);
  });

  it.each([
    ['only so many of the old ones', { maxBackups: 2 }, ['10-00-03', '10-00-04']],
    ['none that is too old', { maxAgeMs: 2500 }, ['10-00-02', '10-00-03', '10-00-04']],
  ])('keeps %s', async (_, limits, kept) => {
    const foreign = ['audit-notes.log', 'other-2026-11-22T10-00-00.000.log'];
    for (const name of foreign) writeFileSync(join(dirname(path), name), '');
    await writeEach(
      openFile(limits),
      Array.from({ length: 5 }, () => 'x'.repeat(60)),
    );
    expect(others().filter((name) => !foreign.includes(name))).toEqual(
      kept.map((time) => `audit-2026-11-22T${time}.000.log`),
    );
    expect(others()).toEqual(expect.arrayContaining(foreign));
  });

  it('without a size never turns over, and a longer line than the size is whole', async () => {
    await writeEach(openFile({ maxSizeBytes: 0 }), ['x'.repeat(5000), 'y'.repeat(5000)], DAY_MS);
    expect(statSync(path).size).toBe(10_002);
    expect(others()).toEqual([]);
  });
});

describe.skipIf(!canMount())('a full disk', () => {
  let disk: TinyDisk;
  beforeEach(() => {
    disk = mountTinyDisk(256) as TinyDisk;
    path = join(disk.directory, 'audit.log');
  });
  afterEach(() => disk.unmount());

  it('costs lines, which are counted and told once; what is there stays whole, and it goes on by itself', async () => {
    const file = openFile({ maxSizeBytes: 0 });
    await writeEach(file, ['before']);
    disk.fillBut(0);
    const long = 'x'.repeat(9000);
    let count = 1;
    while (file.counts().lost < 3) {
      file.write(long);
      await all(file, ++count);
    }
    expect(troubles).toEqual([expect.stringContaining('ENOSPC')]);
    disk.free();
    file.write('after');
    await all(file, count + 1);
    const lines = readFileSync(path, 'utf8').split('\n');
    const whole = file.counts().written - 2;
    expect(lines).toEqual(['before', ...Array(whole).fill(long), 'after', '']);
    expect(troubles.at(-1)).toBe('recovered, 3 missing');
    await file.close();
  });
});

describe('a slow disk', () => {
  it('holds up nobody, and only so much waits for it', async () => {
    // A pipe that nobody reads takes a little, and then stands still.
    execFileSync('mkfifo', [path]);
    const reader = await openAsync(path, 'r+');
    const file = openFile({ maxSizeBytes: 0 });
    const line = 'x'.repeat(100_000);
    for (let n = 0; n < 500; n++) file.write(line);
    expect(file.counts().lost).toBeGreaterThan(300);
    expect(troubles).toEqual(['the disk is too slow']);
    const waiting = 500 - file.counts().lost;
    const buffer = Buffer.alloc(1_000_000);
    for (let read = 0; read < waiting * (line.length + 1); ) {
      read += (await reader.read(buffer)).bytesRead;
    }
    await all(file, 500);
    expect(file.counts().written).toBe(waiting);
    await file.close();
    await reader.close();
  });
});
