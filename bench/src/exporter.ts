// The container that every side runs: the real node exporter on the host's network, with the agent's settings, in the
// words of each.
import type Docker from 'dockerode';

export const IMAGE = 'prom/node-exporter:v1.5.0';
/** What an update changes to: the same files, and a label more. */
export const NEXT_IMAGE = 'prom/node-exporter:v1.5.0-next';
export const IMAGE_TAR = '.cache/images/node-exporter-v1.5.0.tar';

export async function makeNextImage(docker: Docker): Promise<void> {
  const container = await docker.createContainer({ Image: IMAGE });
  const [repo = '', tag = ''] = NEXT_IMAGE.split(':');
  await container.commit({ repo, tag, changes: 'LABEL next=yes' });
  await container.remove();
}

const FIRST_PORT = 28_101;
const LOG = { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '5' } };

const argsOf = (index: number) => [`--web.listen-address=127.0.0.1:${FIRST_PORT + index}`];

/** For dockerode: what the agent asks of Docker for this pod, asked by hand. */
export const containerOf = (name: string, image: string, index = 0): Docker.ContainerCreateOptions => ({
  Image: image,
  Cmd: argsOf(index),
  Labels: { bench: name },
  HostConfig: { NetworkMode: 'host', CpuShares: 2, OomScoreAdj: 1000, LogConfig: LOG },
});

export interface PodWishes {
  readonly nodeSelector?: { readonly [label: string]: string };
  /** A token of its ServiceAccount, which no container of the other sides has. */
  readonly token?: boolean;
}

export const daemonSetOf = (
  name: string,
  image: string,
  index = 0,
  { nodeSelector = {}, token = false }: PodWishes = {},
) => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        hostNetwork: true,
        nodeSelector,
        automountServiceAccountToken: token,
        containers: [{ name: 'main', image, args: argsOf(index) }],
      },
    },
  },
});

/** As quick as Swarm can be told to be: no delays, and no watching of what has started. It has no word for CpuShares
 *  and OomScoreAdj. */
export const serviceOf = (name: string, image: string, index = 0) => ({
  Name: name,
  Mode: { Global: {} },
  TaskTemplate: {
    ContainerSpec: { Image: image, Args: argsOf(index) },
    Networks: [{ Target: 'host' }],
    LogDriver: { Name: LOG.Type, Options: LOG.Config },
    RestartPolicy: { Condition: 'any', Delay: 0 },
  },
  UpdateConfig: {
    Parallelism: 0,
    Delay: 0,
    Monitor: 1_000_000,
    FailureAction: 'continue',
    Order: 'stop-first',
  },
});
