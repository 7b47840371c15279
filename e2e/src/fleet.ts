// The local fleet that the tests share: a plane and three nodes, each with its own Docker engine (hack/fleet).
import { join } from 'node:path';
import { ROOT, type RunOptions, run, tryRun } from './run.ts';

export const PROJECT = process.env.FLEETSET_PROJECT ?? 'e2e';
export const NODES = ['node1', 'node2', 'node3'] as const;
export const KUBECONFIG = join(ROOT, '.cache', PROJECT, 'kubeconfig');

const env = { FLEETSET_PROJECT: PROJECT, KUBECONFIG };

export const fleet = (...args: string[]): Promise<string> =>
  run('hack/fleet', args, { env, timeoutMs: 300_000 });

/** kubectl against the fleet. */
export const kubectl = (...args: string[]): Promise<string> => run('hack/kubectl', args, { env });
export const tryKubectl = (args: readonly string[], options: RunOptions = {}) =>
  tryRun('hack/kubectl', args, { ...options, env: { ...env, ...options.env } });

export const fleetset = (...args: string[]) => tryRun('hack/fleetset', args, { env });

export const apply = (manifest: object): Promise<string> =>
  run('hack/kubectl', ['apply', '-f', '-'], { env, input: JSON.stringify(manifest) });

export const getJson = async <T>(...args: string[]): Promise<T> =>
  JSON.parse(await kubectl('get', ...args, '-o', 'json')) as T;

export const inNode = (node: string, ...command: string[]): Promise<string> =>
  fleet('exec', node, ...command);

export const addressOf = async (node: string): Promise<string> => (await fleet('ip', node)).trim();

export interface RunningContainer {
  readonly id: string;
  readonly startedAt: string;
}

/** Containers of a namespace's pods on a node, by "daemonset/container". Holders count as container POD. */
export async function containersOn(
  node: string,
  namespace: string,
): Promise<Map<string, RunningContainer[]>> {
  const ids = (
    await inNode(
      node,
      'docker',
      'ps',
      '-q',
      '--no-trunc',
      '--filter',
      `label=io.kubernetes.pod.namespace=${namespace}`,
    )
  ).split(/\s+/);
  const found = new Map<string, RunningContainer[]>();
  const wanted = ids.filter((id) => id !== '');
  if (wanted.length === 0) return found;
  const details = JSON.parse(await inNode(node, 'docker', 'inspect', ...wanted)) as {
    Id: string;
    State: { StartedAt: string };
    Config: { Labels: { [label: string]: string } };
  }[];
  for (const { Id, State, Config } of details) {
    const key = `${Config.Labels['dev.fleetset.daemonset']}/${Config.Labels['io.kubernetes.container.name']}`;
    found.set(key, [...(found.get(key) ?? []), { id: Id, startedAt: State.StartedAt }]);
  }
  return found;
}

/** Everything that runs for a namespace on all nodes, to compare: the same text means that nothing was restarted. */
export async function fingerprint(namespace: string, nodes: readonly string[] = NODES): Promise<string> {
  const parts = await Promise.all(
    nodes.map(async (node) => {
      const containers = [...(await containersOn(node, namespace)).entries()].sort(([a], [b]) =>
        a < b ? -1 : 1,
      );
      return `${node}: ${JSON.stringify(containers)}`;
    }),
  );
  return parts.join('\n');
}
