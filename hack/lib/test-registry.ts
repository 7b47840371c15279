// Debian's registry of images, as hack/registry brings it, on a free port of the loopback address.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { keepPort } from './kept-port.ts';

export interface TestRegistry {
  readonly port: number;
  readonly stop: () => Promise<void>;
}

const ROOT = join(import.meta.dirname, '../..');
const PATIENCE_MS = 60_000;

/** Its images are kept in the directory. `users`: lines as htpasswd writes them; absent: it asks nobody who they are. */
export async function startTestRegistry(directory: string, users?: string): Promise<TestRegistry> {
  const { stdout } = await promisify(execFile)(join(ROOT, 'hack/registry'));
  const port = await keepPort();
  const userFile = join(directory, 'users');
  if (users) await writeFile(userFile, users);
  const config = join(directory, 'registry.yml');
  await writeFile(
    config,
    JSON.stringify({
      version: 0.1,
      storage: { filesystem: { rootdirectory: join(directory, 'images') } },
      http: { addr: `127.0.0.1:${port}` },
      ...(users ? { auth: { htpasswd: { realm: 'fleetset', path: userFile } } } : {}),
    }),
  );
  const child = spawn(stdout.trim(), ['serve', config], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  for (const end = performance.now() + PATIENCE_MS; ; await wait(50)) {
    const answer = await fetch(`http://127.0.0.1:${port}/v2/`).catch(() => undefined);
    if (answer?.status === (users ? 401 : 200)) break;
    if (child.exitCode !== null || performance.now() > end) throw new Error('the registry does not answer');
  }
  return {
    port,
    stop: async () => {
      child.kill();
      await ended;
    },
  };
}
