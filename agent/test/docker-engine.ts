// Real Docker for tests: containers by owners that nobody else has, looked at and cleaned up by exactly those.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { OWNER_LABEL } from '../src/runtime/container-labels.ts';
import { DOCKER_SOCKET, type EngineProxy, startEngineProxy } from './engine-proxy.ts';

export const docker = new Docker({ socketPath: DOCKER_SOCKET });

export async function containersOf(owner: string): Promise<readonly Docker.ContainerInfo[]> {
  const filters = JSON.stringify({ label: [`${OWNER_LABEL}=${owner}`] });
  return docker.listContainers({ all: true, filters });
}

export async function removeContainersOf(...owners: readonly string[]): Promise<void> {
  for (const owner of owners)
    await Promise.all(
      (await containersOf(owner)).map(({ Id }) =>
        docker
          .getContainer(Id)
          .remove({ force: true, v: true })
          .catch((error: { statusCode?: number }) => {
            // Gone, or being removed already.
            if (error.statusCode !== 404 && error.statusCode !== 409) throw error;
          }),
      ),
    );
}

/** A proxy to the engine with a directory of its own for the socket. */
export async function openProxy(rename?: Parameters<typeof startEngineProxy>[1]): Promise<EngineProxy> {
  const directory = await mkdtemp(join(tmpdir(), 'fleetset-proxy-'));
  const proxy = await startEngineProxy(join(directory, 'docker.sock'), rename);
  return {
    ...proxy,
    close: async () => {
      await proxy.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
