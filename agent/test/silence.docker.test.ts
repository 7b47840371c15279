// What accepts a connection and then says nothing is given up. Beside the tests with Docker because it takes long:
// all wait at the same time.
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { JoinFailed, joinPlane } from '../src/identity/join-plane.ts';
import { createDockerRuntime } from '../src/runtime/docker-runtime.ts';
import { settings, uniqueOwner } from './pods.ts';
import { tempDirectory } from './temp-directory.ts';

async function listenSilently(
  where: { readonly path: string } | { readonly port: 0; readonly host: string },
) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  server.listen(where);
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return server;
}

describe('given up', () => {
  it('are an engine, whatever it is asked, and a plane that one would join', async () => {
    const directory = await tempDirectory();
    const socketPath = join(directory, 'docker.sock');
    await listenSilently({ path: socketPath });
    const plane = await listenSilently({ port: 0, host: '127.0.0.1' });
    const planeAddress = `127.0.0.1:${(plane.address() as { port: number }).port}`;
    const runtime = createDockerRuntime({ socketPath, owner: uniqueOwner() });
    const calls = [
      runtime.list(),
      runtime.info(),
      runtime.hasImage('x'),
      runtime.imageUser('x'),
      runtime.holderImage(),
    ];
    const joining = joinPlane({
      planeAddress,
      token: 'abcdef.0123456789abcdef',
      caHash: `sha256:${'0'.repeat(64)}`,
      nodeName: 'node',
      dataDir: join(directory, 'agent'),
    });
    await Promise.all([
      ...calls.map((call) => expect(call).rejects.toMatchObject({ kind: 'timeout' })),
      expect(runtime.exec('id', ['true'], 1000)).rejects.toMatchObject({ kind: 'timeout' }),
      expect(joining).rejects.toThrow(JoinFailed),
      expect(joining).rejects.toThrow(`no plane answers at ${planeAddress}: no answer in 10 s`),
    ]);
  });

  it('is a pull by the one who asked for it', async () => {
    const socketPath = join(await tempDirectory(), 'docker.sock');
    await listenSilently({ path: socketPath });
    const runtime = createDockerRuntime({ socketPath, owner: uniqueOwner() });
    const leaving = new AbortController();
    const pulling = runtime.pull(settings().image, leaving.signal);
    leaving.abort(new Error('no progress'));
    await expect(pulling).rejects.toMatchObject({ kind: 'pull-failed', message: 'no progress' });
  });
});
