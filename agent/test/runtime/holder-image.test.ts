// The holder's program runs and only sleeps, on both kinds of machine; its archive is one that tar reads.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { machine, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { holderArchive, holderProgram } from '../../src/runtime/holder-image.ts';
import { until } from '../wait-until.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fleetset-holder-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const programFor = (architecture: string): Buffer => {
  const program = holderProgram(architecture);
  if (!program) throw new Error(`no program for ${architecture}`);
  return program;
};

const SIGCHLD = 17n;

function findInPath(...names: readonly string[]): string | undefined {
  const candidates = (process.env.PATH ?? '')
    .split(delimiter)
    .flatMap((folder) => names.map((name) => join(folder, name)));
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Is asleep in the kernel, stays so when it is woken by a signal that it need not hear, and can be killed. */
async function sleeps(
  command: string,
  args: readonly string[],
  systemCall: number | undefined,
): Promise<void> {
  const process = spawn(command, args, { stdio: 'ignore' });
  const ended = once(process, 'exit');
  const state = async () => (await readFile(`/proc/${process.pid}/stat`, 'utf8')).split(') ')[1]?.[0];
  await until('it sleeps', async () => (await state()) === 'S');
  if (systemCall !== undefined)
    await until('it is in the system call that waits', async () =>
      (await readFile(`/proc/${process.pid}/syscall`, 'utf8')).startsWith(`${systemCall} `),
    );
  // Nobody asks it for what its children became.
  const ignored = /^SigIgn:\s*([0-9a-f]+)$/m.exec(await readFile(`/proc/${process.pid}/status`, 'utf8'))?.[1];
  expect((BigInt(`0x${ignored}`) >> (SIGCHLD - 1n)) & 1n).toBe(1n);
  process.kill('SIGSTOP');
  await until('it is stopped', async () => (await state()) === 'T');
  process.kill('SIGCONT');
  await until('it sleeps again', async () => (await state()) === 'S');
  expect(process.exitCode).toBeNull();
  process.kill('SIGKILL');
  expect(await ended).toEqual([null, 'SIGKILL']);
}

describe('the holder', () => {
  const emulator = findInPath('qemu-aarch64-static', 'qemu-aarch64');

  it.skipIf(machine() !== 'x86_64')('sleeps on x86_64', async () => {
    const path = join(directory, 'pause-x86_64');
    await writeFile(path, programFor('x86_64'), { mode: 0o755 });
    const SYS_PAUSE = 34;
    await sleeps(path, [], SYS_PAUSE);
  });

  it.skipIf(machine() !== 'aarch64' && !emulator)(
    `sleeps on aarch64${emulator || machine() === 'aarch64' ? '' : ' (skipped: neither such a machine nor qemu-user-static here)'}`,
    async () => {
      const path = join(directory, 'pause-aarch64');
      await writeFile(path, programFor('aarch64'), { mode: 0o755 });
      if (machine() === 'aarch64') await sleeps(path, [], 73);
      else await sleeps(emulator ?? '', [path], undefined);
    },
  );

  it('is not there for a machine that it was not written for', () => {
    expect(holderProgram('riscv64')).toBeUndefined();
  });

  it.each(['x86_64', 'aarch64'])(
    'comes in an archive that tar unpacks to the same bytes (%s)',
    async (architecture) => {
      const program = programFor(architecture);
      const path = join(directory, `${architecture}.tar`);
      await writeFile(path, holderArchive(program));
      expect(execFileSync('tar', ['-tvf', path], { encoding: 'utf8' })).toMatch(
        /^-rwxr-xr-x 0\/0 .* pause\n$/,
      );
      execFileSync('tar', ['-xf', path, '-C', directory]);
      const unpacked = join(directory, 'pause');
      expect(await readFile(unpacked)).toEqual(program);
      expect((await stat(unpacked)).mode & 0o777).toBe(0o755);
    },
  );
});
