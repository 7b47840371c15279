// A Docker engine of a test's own, beside the one that runs: with settings that a running one cannot be given, and to be
// stopped and killed.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import Docker from 'dockerode';
import { docker } from '../docker-engine.ts';
import { TEST_IMAGE } from '../pods.ts';
import { run } from './run.ts';

export interface OwnEngine {
  readonly socketPath: string;
  readonly docker: Docker;
  /** By a signal, and waits until it has ended. */
  readonly end: (signal: 'SIGTERM' | 'SIGKILL') => Promise<void>;
  /** Over the same data. */
  readonly start: () => Promise<void>;
  /** Removes all that it had. */
  readonly remove: () => Promise<void>;
}

/** Of the machine, what users of containers are mapped to. */
export const FIRST_MAPPED = 100_000;
/** A user and a group that every machine has. */
const MAPPED_FOR = 'daemon';
const PATIENCE_MS = 180_000;

export async function startOwnEngine(
  options: { readonly mapsUsers?: boolean; readonly liveRestore?: boolean } = {},
): Promise<OwnEngine> {
  const directory = await mkdtemp(join(tmpdir(), 'fleetset-engine-'));
  // Whom users are mapped to must be able to come in.
  await chmod(directory, 0o711);
  const socketPath = join(directory, 'docker.sock');
  const bridge = `fs${process.pid}`;
  await run('ip', 'link', 'add', bridge, 'type', 'bridge');
  await run('ip', 'addr', 'add', `10.199.${process.pid % 256}.1/24`, 'dev', bridge);
  await run('ip', 'link', 'set', bridge, 'up');
  const mapping = join(directory, 'subid');
  await writeFile(mapping, `${MAPPED_FOR}:${FIRST_MAPPED}:65536\n`);
  const args = [
    ...['--host', `unix://${socketPath}`, '--data-root', join(directory, 'data')],
    ...['--exec-root', join(directory, 'run'), '--pidfile', join(directory, 'dockerd.pid')],
    ...['--bridge', bridge, '--iptables=false', '--ip-masq=false'],
    ...(options.mapsUsers ? ['--userns-remap', MAPPED_FOR] : []),
    ...(options.liveRestore ? ['--live-restore'] : []),
  ];
  // The machine's own lists of users stay as they are: the engine sees others. What is mounted on the machine it sees too.
  const script = 'mount --bind "$0" /etc/subuid && mount --bind "$0" /etc/subgid && exec dockerd "$@"';
  const engine = new Docker({ socketPath });
  let child: ChildProcess | undefined;

  const start = async () => {
    const said: Buffer[] = [];
    child = spawn('unshare', ['--mount', '--propagation', 'slave', 'sh', '-c', script, mapping, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child.stderr?.on('data', (chunk: Buffer) => said.push(chunk));
    for (const end = performance.now() + PATIENCE_MS; ; await wait(100)) {
      if (await engine.ping().catch(() => undefined)) return;
      if (child.exitCode !== null || performance.now() > end)
        throw new Error(`the engine does not start: ${Buffer.concat(said).toString().slice(-2000)}`);
    }
  };
  const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  };

  const remove = async () => {
    await end('SIGTERM');
    await run('ip', 'link', 'del', bridge);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await start();
    await engine.loadImage(await docker.getImage(TEST_IMAGE).get());
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    socketPath,
    docker: engine,
    start,
    end,
    remove: async () => {
      for (const { Id } of await engine.listContainers({ all: true }))
        await engine.getContainer(Id).remove({ force: true, v: true });
      await remove();
    },
  };
}
