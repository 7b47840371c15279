// A plane without nodes, as a process, for clients that only speak with the API.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keepPort } from '../../hack/lib/kept-port.ts';
import { eventually } from './eventually.ts';
import { type Ran, ROOT, type RunOptions, tryRun } from './run.ts';

export interface LonePlane {
  readonly kubeconfig: string;
  readonly tryKubectl: (args: readonly string[], options?: RunOptions) => Promise<Ran>;
  readonly stop: () => Promise<void>;
  /** On the same ports and data. */
  readonly start: () => Promise<void>;
  /** Stops it and removes what it kept. */
  readonly remove: () => Promise<void>;
}

export async function startLonePlane(flags: readonly string[] = []): Promise<LonePlane> {
  const dataDir = await mkdtemp(join(tmpdir(), 'fleetset-plane-'));
  const kubeconfig = join(dataDir, 'kubeconfig');
  const [api, agents] = [await keepPort(), await keepPort()];
  const addresses = ['--api-address', `127.0.0.1:${api}`, '--agent-address', `127.0.0.1:${agents}`];
  let child: ChildProcess | undefined;
  const tryKubectl: LonePlane['tryKubectl'] = (args, options = {}) =>
    tryRun('hack/kubectl', args, { ...options, env: { KUBECONFIG: kubeconfig, ...options.env } });
  const start = async () => {
    const running = spawn(
      'hack/fleetset',
      [
        'plane',
        '--data-dir',
        dataDir,
        '--kubeconfig',
        kubeconfig,
        '--log-level',
        'warn',
        ...addresses,
        ...flags,
      ],
      { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] },
    );
    child = running;
    await eventually('the plane answers', async () => {
      if (running.exitCode !== null) throw new Error(`it ended with ${running.exitCode}`);
      return (await tryKubectl(['get', '--raw', '/readyz'])).stdout === 'ok';
    });
  };
  const stop = async () => {
    const stopping = child;
    child = undefined;
    if (!stopping || stopping.exitCode !== null) return;
    const ended = new Promise((resolve) => stopping.once('close', resolve));
    stopping.kill('SIGTERM');
    await ended;
  };
  await start();
  return {
    kubeconfig,
    tryKubectl,
    start,
    stop,
    remove: async () => {
      await stop();
      await rm(dataDir, { recursive: true });
    },
  };
}
