// Debian's registry of images, as hack/registry brings it, on a free port of the loopback address.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';

export interface TestRegistry {
  readonly port: number;
  readonly stop: () => Promise<void>;
}

const ROOT = join(import.meta.dirname, '../..');

/** Its images are kept in the directory. `users`: lines as htpasswd writes them; absent: it asks nobody who they are. */
export async function startTestRegistry(directory: string, users?: string): Promise<TestRegistry> {
  const { stdout } = await promisify(execFile)(join(ROOT, 'hack/registry'));
  const userFile = join(directory, 'users');
  if (users) await writeFile(userFile, users);
  const config = join(directory, 'registry.yml');
  await writeFile(
    config,
    JSON.stringify({
      version: 0.1,
      storage: { filesystem: { rootdirectory: join(directory, 'images') } },
      // The port that the kernel gives it: one that was free a moment ago may be another's by now.
      http: { addr: '127.0.0.1:0' },
      ...(users ? { auth: { htpasswd: { realm: 'fleetset', path: userFile } } } : {}),
    }),
  );
  const child = spawn(stdout.trim(), ['serve', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(child, 'exit');
  const port = await listensOn(child.stderr);
  return {
    port,
    stop: async () => {
      child.kill();
      await ended;
    },
  };
}

/** What it says then is dropped. */
async function listensOn(log: Readable): Promise<number> {
  let said = '';
  for await (const text of log.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    said += text;
    const port = /listening on 127\.0\.0\.1:(\d+)/.exec(said)?.[1];
    if (port !== undefined) {
      log.resume();
      return Number(port);
    }
  }
  throw new Error(`the registry does not start: ${said.slice(-2000)}`);
}
