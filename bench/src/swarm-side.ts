// Docker Swarm's global services, asked by dockerode: no time is spent in a client of the command line, and no registry
// is asked for the image.
import type Docker from 'dockerode';
import { until } from './bench-fleet.ts';
import { serviceOf } from './exporter.ts';
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
  const inspect = (name: string) =>
    docker.getService(name).inspect() as Promise<{
      readonly Version: { readonly Index: number };
      readonly UpdateStatus?: { readonly State?: string };
    }>;
  const side: Side = {
    label: 'com.docker.swarm.service.name',
    create: (name, image, index) => docker.createService(serviceOf(name, image, index)),
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
      await docker.getService(name).update({ version: Version.Index, ...serviceOf(name, image) });
    },
    remove: (name) => docker.getService(name).remove(),
  };
  return { side, leave: () => docker.swarmLeave({ force: true }) };
}
