// Docker Swarm's global services, asked by dockerode: no time is spent in a client of the command line.
import type Docker from 'dockerode';
import { until } from './bench-fleet.ts';
import { IMAGE, NEXT_IMAGE, serviceOf } from './exporter.ts';
import type { Side } from './side.ts';

interface Task {
  readonly DesiredState: string;
  readonly Status: { readonly State: string };
}

/** The engine is a swarm of one until `leave`. */
export async function startSwarm(docker: Docker): Promise<{
  readonly side: Side;
  readonly leave: () => Promise<void>;
}> {
  await docker.swarmInit({ ListenAddr: '127.0.0.1:2377', AdvertiseAddr: '127.0.0.1' });
  const ids = new Map<string, string>();
  for (const image of [IMAGE, NEXT_IMAGE]) ids.set(image, (await docker.getImage(image).inspect()).Id);
  /** By its id no registry is asked for it, at no start. */
  const idOf = (image: string) => ids.get(image) ?? image;
  const inspect = (name: string) =>
    docker.getService(name).inspect() as Promise<{
      readonly Version: { readonly Index: number };
      readonly UpdateStatus?: { readonly State?: string };
    }>;
  const side: Side = {
    label: 'com.docker.swarm.service.name',
    create: async (name, image, index) => docker.createService(serviceOf(name, idOf(image), index)),
    atRest: (name) =>
      until(`service ${name} is at rest`, async () => {
        const { UpdateStatus } = await inspect(name);
        const filters = JSON.stringify({ service: [name] });
        const tasks = ((await docker.listTasks({ filters })) as Task[]).filter(
          ({ DesiredState }) => DesiredState === 'running',
        );
        const runs = tasks.length === 1 && tasks[0]?.Status.State === 'running';
        return runs && (UpdateStatus?.State ?? 'completed') === 'completed';
      }),
    update: async (name, image) => {
      const { Version } = await inspect(name);
      await docker.getService(name).update({ version: Version.Index, ...serviceOf(name, idOf(image)) });
    },
    remove: (name) => docker.getService(name).remove(),
  };
  let left: Promise<void> | undefined;
  return {
    side,
    leave: () => {
      left ??= docker.swarmLeave({ force: true });
      return left;
    },
  };
}
