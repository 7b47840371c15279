// The CA that is found is flushed before anything is signed with it: nodes that joined a CA that a power cut took away
// would be lost.
import { fstatSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { openAuthority } from '../../src/identity/authority.ts';
import { tempDir } from '../support/temp-dir.ts';

const { flushed } = vi.hoisted(() => ({ flushed: [] as number[] }));
vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>();
  return {
    ...real,
    fsyncSync: (descriptor: number) => {
      flushed.push(fstatSync(descriptor).ino);
      real.fsyncSync(descriptor);
    },
  };
});

it('a CA that is found is flushed', async () => {
  const directory = join(tempDir(), 'pki');
  const made = await openAuthority(directory);
  flushed.length = 0;
  const found = await openAuthority(directory);
  expect(found.caHash).toBe(made.caHash);
  expect(flushed).toEqual([statSync(directory).ino]);
});
