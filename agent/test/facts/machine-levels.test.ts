// How much is free, by what the kernel says.
import { describe, expect, it } from 'vitest';
import { memoryLevel, pidLevel, readDisk, readLevels } from '../../src/facts/machine-levels.ts';
import { smallDisk, smallDisksWork } from '../small-disk.ts';

describe('a machine', () => {
  it('tells of memory, disks and PIDs', async () => {
    const levels = await readLevels({ nodefs: '/', imagefs: '/' });
    expect(Object.keys(levels)).toEqual([
      'memory.available',
      'nodefs.available',
      'nodefs.inodesFree',
      'imagefs.available',
      'imagefs.inodesFree',
      'pid.available',
    ]);
    for (const [signal, { available, capacity }] of Object.entries(levels)) {
      expect(available, signal).toBeGreaterThanOrEqual(0);
      expect(available, signal).toBeLessThanOrEqual(capacity);
    }
  });

  it('says nothing of a place that is not there, or not known yet', async () => {
    const levels = await readLevels({ nodefs: '/not/there', imagefs: undefined });
    expect(Object.keys(levels)).toEqual(['memory.available', 'pid.available']);
  });

  it.skipIf(!smallDisksWork)('notices a disk that fills, and one that is freed', async () => {
    const disk = smallDisk();
    const available = async () => (await readDisk(disk.directory))?.bytes.available;
    expect(await available()).toBeGreaterThan(0);
    await disk.fill();
    expect(await available()).toBe(0);
    await disk.free();
    expect(await available()).toBeGreaterThan(0);
  });
});

describe('the kernel’s files', () => {
  it('memory is what could be had without swapping', () => {
    const text = 'MemTotal:       8000 kB\nMemFree:         100 kB\nMemAvailable:   2000 kB\nBuffers: 1 kB\n';
    expect(memoryLevel(text)).toEqual({ available: 2000 * 1024, capacity: 8000 * 1024 });
    expect(memoryLevel('MemTotal:       8000 kB\n')).toBeUndefined();
  });

  it('PIDs are used by every thread, up to the lower of two limits', () => {
    expect(pidLevel('0.1 0.2 0.3 2/300 4711\n', '32768\n', '1000\n')).toEqual({
      available: 700,
      capacity: 1000,
    });
    expect(pidLevel('0.1 0.2 0.3 2/300 4711\n', '200\n', '')).toEqual({ available: 0, capacity: 200 });
    expect(pidLevel('', '32768\n', '1000\n')).toBeUndefined();
  });
});
