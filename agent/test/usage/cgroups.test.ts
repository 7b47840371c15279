// Control groups of both versions, as they are on machines, in nested engines and under systemd.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findPlace, findTrees, readUsed } from '../../src/usage/cgroups.ts';
import { tempDirectory } from '../temp-directory.ts';

const ID = 'c'.repeat(64);
const V1 = [
  '31 23 0:28 / /sys/fs/cgroup rw,relatime shared:6 - tmpfs tmpfs rw,mode=755',
  '33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:8 - cgroup cgroup rw,cpu,cpuacct',
  '35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:10 - cgroup cgroup rw,memory',
  '41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:16 - cgroup2 cgroup2 rw',
].join('\n');
const V2 = '30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate';
const BELOW = '30 23 0:26 /machine/one /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw';

const place = (mounts: string, membership: string) => {
  const trees = findTrees(mounts);
  const found = trees && findPlace(trees, membership, ID);
  return found && [found.version, found.cpu, found.memory];
};

describe('a container’s groups', () => {
  it.each<readonly [string, string, string, readonly unknown[] | undefined]>([
    [
      'on version 1, beside a version 2 that has no controllers',
      V1,
      `9:memory:/docker/${ID}\n4:cpu,cpuacct:/docker/${ID}\n0::/docker/${ID}\n`,
      [1, `/sys/fs/cgroup/cpu,cpuacct/docker/${ID}`, `/sys/fs/cgroup/memory/docker/${ID}`],
    ],
    [
      'on version 2',
      V2,
      `0::/docker/${ID}\n`,
      [2, `/sys/fs/cgroup/docker/${ID}`, `/sys/fs/cgroup/docker/${ID}`],
    ],
    [
      'as systemd names them',
      V2,
      `0::/system.slice/docker-${ID}.scope\n`,
      [2, `/sys/fs/cgroup/system.slice/docker-${ID}.scope`, `/sys/fs/cgroup/system.slice/docker-${ID}.scope`],
    ],
    [
      'where a program in the container made others below',
      V2,
      `0::/docker/${ID}/init.scope\n`,
      [2, `/sys/fs/cgroup/docker/${ID}`, `/sys/fs/cgroup/docker/${ID}`],
    ],
    [
      'where only a part of the tree is mounted',
      BELOW,
      `0::/machine/one/docker/${ID}\n`,
      [2, `/sys/fs/cgroup/docker/${ID}`, `/sys/fs/cgroup/docker/${ID}`],
    ],
    ['not outside of what is mounted', BELOW, `0::/machine/two/docker/${ID}\n`, undefined],
    ['not of a process that is another container’s by now', V2, `0::/docker/${'d'.repeat(64)}\n`, undefined],
    ['nor of none', V2, '0::/user.slice\n', undefined],
    ['nowhere without a mount', '', `0::/docker/${ID}\n`, undefined],
  ])('%s', (_where, mounts, membership, found) => {
    expect(place(mounts, membership)).toEqual(found);
  });

  it('say on version 1 what was used', async () => {
    const directory = await tempDirectory();
    await writeFile(join(directory, 'cpuacct.usage'), '123456789\n');
    await writeFile(join(directory, 'memory.usage_in_bytes'), '5000\n');
    await writeFile(
      join(directory, 'memory.stat'),
      'inactive_file 1\ntotal_cache 9\ntotal_inactive_file 2000\n',
    );
    expect(readUsed({ version: 1, cpu: directory, memory: directory })).toEqual({
      cpuNanos: 123456789,
      memoryBytes: 3000,
    });
  });

  it('and on version 2', async () => {
    const directory = join(await tempDirectory(), 'group');
    await mkdir(directory);
    await writeFile(join(directory, 'cpu.stat'), 'usage_usec 1500\nuser_usec 1000\nsystem_usec 500\n');
    await writeFile(join(directory, 'memory.current'), '5000\n');
    await writeFile(join(directory, 'memory.stat'), 'anon 1\nfile 9\ninactive_file 6000\n');
    expect(readUsed({ version: 2, cpu: directory, memory: directory })).toEqual({
      cpuNanos: 1_500_000,
      memoryBytes: 0,
    });
    expect(() => readUsed({ version: 2, cpu: '/gone', memory: '/gone' })).toThrow(/ENOENT/);
  });
});
