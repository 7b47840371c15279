// A Docker engine for a bench alone: its own containerd, folder, socket and network, so that a swarm in it, or fifty
// containers, are none of the machine's other users' business. Needs root.
import { execFileSync, spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import Docker from 'dockerode';
import { until } from './bench-fleet.ts';
import { type DockerClock, followDocker } from './docker-clock.ts';

export interface OwnEngine {
  readonly socketPath: string;
  readonly docker: Docker;
  readonly clock: DockerClock;
  readonly stop: () => Promise<void>;
}

// It ends with the bench, even if that is killed.
const UNSHARE = ['--pdeathsig', 'TERM', 'unshare', '--net', 'sh', '-c'];
const START = 'ip link set lo up && exec dockerd "$@"';

/** `folder` is made, and removed by `stop`. */
export async function startOwnEngine(folder: string, images: readonly string[]): Promise<OwnEngine> {
  await mkdir(folder, { recursive: true });
  const at = (name: string) => join(folder, name);
  const socketPath = at('docker.sock');
  const [logFile, pidFile] = [at('dockerd.log'), at('dockerd.pid')];
  const flags = ['--host', `unix://${socketPath}`, '--data-root', at('data'), '--exec-root', at('run')];
  const output = openSync(logFile, 'a');
  const engine = spawn('setpriv', [...UNSHARE, START, 'dockerd', ...flags, '--pidfile', pidFile], {
    stdio: ['ignore', output, output],
    // A ctrl-C is for the bench: it ends the engine when the containers are gone.
    detached: true,
  });
  const hasEnded = () => engine.exitCode !== null || engine.signalCode !== null;
  const docker = new Docker({ socketPath });
  let clock: DockerClock | undefined;
  const stop = async () => {
    clock?.close();
    if (!hasEnded()) {
      const ended = new Promise((resolve) => engine.once('exit', resolve));
      engine.kill('SIGTERM');
      await ended;
    }
    unmountBelow(folder);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await until('the engine answers', async () => {
      if (hasEnded()) throw new Error(`dockerd ended: ${readFileSync(logFile, 'utf8')}`);
      return docker.ping().then(
        () => true,
        () => false,
      );
    });
    for (const image of images)
      execFileSync('docker', ['--host', `unix://${socketPath}`, 'load', '--input', image], {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
    clock = await followDocker(docker);
  } catch (error) {
    await stop();
    throw error;
  }
  return { socketPath, docker, clock, stop };
}

/** What an engine that was killed has left. */
function unmountBelow(folder: string): void {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${folder}/`));
  for (const path of mounts.reverse()) execFileSync('umount', ['--lazy', path]);
}
