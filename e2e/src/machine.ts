// A machine with systemd as its first process and a Docker engine of its own (hack/systemd-machine).
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Ran, ROOT, run, tryRun } from './run.ts';

export interface Machine {
  readonly name: string;
  readonly exec: (...command: string[]) => Promise<string>;
  readonly tryExec: (...command: string[]) => Promise<Ran>;
  readonly ip: () => Promise<string>;
  readonly reboot: (...flags: string[]) => Promise<void>;
  readonly journal: () => Promise<string>;
  readonly down: () => Promise<void>;
}

const SLOW_MS = 300_000;

/** Boots it with a folder at /stage that installs fleetset without network, and the images of the fleet. */
export async function bootMachine(name: string): Promise<Machine> {
  const stage = await mkdtemp(join(tmpdir(), 'fleetset-stage-'));
  await run('hack/install', ['--stage', stage], { timeoutMs: SLOW_MS });
  await run('hack/images/build', ['base', 'busybox'], { timeoutMs: SLOW_MS });
  const hack = (...args: string[]) => run('hack/systemd-machine', args, { timeoutMs: SLOW_MS });
  await hack('up', name, '-v', `${stage}:/stage:ro`, '-v', `${join(ROOT, '.cache/images')}:/images:ro`);
  return {
    name,
    exec: (...command) => hack('exec', name, ...command),
    tryExec: (...command) =>
      tryRun('hack/systemd-machine', ['exec', name, ...command], { timeoutMs: SLOW_MS }),
    ip: async () => (await hack('ip', name)).trim(),
    reboot: async (...flags) => void (await hack('reboot', name, ...flags)),
    journal: () => hack('logs', name),
    down: async () => {
      await hack('down', name);
      await rm(stage, { recursive: true, force: true });
    },
  };
}
