// What runs during a soak, what is done to it, and what must be so when it has come to rest.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ownerOf, readIdentity } from '@fleetset/agent/identity/identity-files';
import Docker from 'dockerode';
import { type BenchFleet, freePorts, pause, until } from './bench-fleet.ts';

const IMAGE = 'fleetset-test/busybox:1';
const SETS = '/apis/apps/v1/namespaces/default/daemonsets';
const CONFIG = '/api/v1/namespaces/default/configmaps/soak';
const SECRET = '/api/v1/namespaces/default/secrets/soak';
const PODS = '/api/v1/namespaces/default/pods';
const EVENTS = '/api/v1/events';
const MERGE = 'application/merge-patch+json';

const WAIT = "trap 'exit 0' TERM; while :; do sleep 1 & wait; done";
/** Some 25 KiB a second. */
const WRITE =
  'trap \'exit 0\' TERM; while :; do i=0; while [ $i -lt 100 ]; do echo "line $i of a log that is rotated again and again"; i=$((i+1)); done; sleep 0.2; done';

const run = (name: string, script: string, more: object = {}) => ({
  name,
  image: IMAGE,
  command: ['sh', '-c', script],
  ...more,
});

/** By name. Each another kind of pod. */
const specs = (port: number): { readonly [name: string]: object } => ({
  writer: { hostNetwork: true, containers: [run('main', WRITE)] },
  config: {
    hostNetwork: true,
    containers: [
      run('main', WAIT, {
        envFrom: [{ configMapRef: { name: 'soak' } }],
        volumeMounts: [
          { name: 'config', mountPath: '/config' },
          { name: 'secret', mountPath: '/secret' },
        ],
      }),
    ],
    volumes: [
      { name: 'config', configMap: { name: 'soak' } },
      { name: 'secret', secret: { secretName: 'soak' } },
    ],
  },
  pair: {
    initContainers: [run('before', 'echo ready')],
    containers: [run('main', WAIT), run('second', WAIT)],
    volumes: [{ name: 'scratch', emptyDir: {} }],
  },
  probed: {
    hostNetwork: true,
    containers: [
      run('main', `exec httpd -f -p 127.0.0.1:${port} -h /bin`, {
        readinessProbe: { httpGet: { host: '127.0.0.1', path: '/busybox', port }, periodSeconds: 1 },
        livenessProbe: { exec: { command: ['true'] }, periodSeconds: 1 },
      }),
    ],
  },
});
const NAMES = Object.keys(specs(0));
/** Of containers that run when all is at rest: each pod's own, and the holder of the pod that shares a network. */
const RUNNING = 6;
const REST_MS = 120_000;
const LEAK_BYTES = 64 * 1024;
const DATABASE_LEAK_BYTES = 900 * 1024;
/** On a container that is left behind so that it is counted: an orphan is found before that. */
const KNOWN_STRAY = 'soak.stray';

interface DaemonSet {
  readonly metadata: { readonly name: string; readonly generation: number };
  readonly status: {
    readonly observedGeneration?: number;
    readonly updatedNumberScheduled?: number;
    readonly numberAvailable?: number;
  };
}

interface Pod {
  readonly metadata: { readonly uid: string; readonly name: string; readonly deletionTimestamp?: string };
  readonly status: { readonly phase?: string };
}

export interface SoakFleet {
  readonly create: () => Promise<void>;
  /** Everything that a round does to pods, behind the agent's back and by the API. */
  readonly disturb: (round: number) => Promise<void>;
  /** Reads logs, as many people do. */
  readonly readLogs: () => Promise<void>;
  /** Resolves when every pod is what it should be, once, and the newest config has arrived in it. */
  readonly settled: (round: number) => Promise<void>;
  /** What must never be seen and was. */
  readonly violations: () => readonly string[];
  readonly containers: () => Promise<readonly Docker.ContainerInfo[]>;
  readonly countEvents: () => Promise<number>;
  /** Of all changes that the plane remembers for watches, as its metrics say. */
  readonly historyBytes: () => Promise<number>;
  /** What a bug would leave behind in each round, if that kind of leak is one of the fleet's. */
  readonly leak: (kind: string, round: number) => Promise<void>;
  /** Resolves when nothing is left. */
  readonly remove: () => Promise<void>;
}

export async function openSoakFleet(fleet: BenchFleet): Promise<SoakFleet> {
  const docker = new Docker();
  const [port = 0] = await freePorts(1);
  const byName = specs(port);
  const template = (name: string, round: number) => ({
    metadata: { labels: { app: name }, annotations: { round: String(round) } },
    spec: { terminationGracePeriodSeconds: 2, ...byName[name] },
  });
  const identity = await readIdentity(fleet.agentDir);
  if (!identity) throw new Error('the agent has not joined');
  const owner = `dev.fleetset.owner=${ownerOf(identity)}`;
  const containers = () => docker.listContainers({ all: true, filters: JSON.stringify({ label: [owner] }) });
  const violations = new Set<string>();
  const watching = new AbortController();

  /** The plane may be away at the moment. */
  const api: BenchFleet['api'] = async (...request) => {
    let answer: unknown;
    await until(`the API answers to ${request[0]} ${request[1]}`, async () => {
      try {
        answer = await fleet.api(...request);
        return true;
      } catch (error) {
        if (typeof (error as NodeJS.ErrnoException).code !== 'string') throw error;
        return false;
      }
    });
    return answer;
  };

  const watch = async () => {
    while (!watching.signal.aborted) {
      const running = (await containers()).filter(({ State }) => State === 'running');
      for (const name of NAMES) {
        const ofSet = running.filter(({ Labels }) => Labels['dev.fleetset.daemonset'] === name);
        const pods = new Set(ofSet.map(({ Labels }) => Labels['io.kubernetes.pod.uid']));
        if (pods.size > 1) violations.add(`containers of ${pods.size} pods of ${name} ran at once`);
        const keys = ofSet.map(({ Labels }) => Labels['io.kubernetes.container.name']);
        if (pods.size === 1 && new Set(keys).size < keys.length)
          violations.add(`a container of ${name} ran twice: ${keys}`);
      }
      await pause(200);
    }
  };
  const watched = watch();

  const containerOf = async (set: string, container = 'main') =>
    (await containers()).find(
      ({ Labels, State }) =>
        State === 'running' &&
        Labels['dev.fleetset.daemonset'] === set &&
        Labels['io.kubernetes.container.name'] === container,
    );

  const listSets = async () => ((await api('GET', SETS)) as { readonly items: readonly DaemonSet[] }).items;
  const listPods = async () => ((await api('GET', PODS)) as { readonly items: readonly Pod[] }).items;

  /** What is not as it should be; undefined when all is. */
  const unrest = async (round: number): Promise<string | undefined> => {
    for (const { metadata, status } of await listSets()) {
      const { observedGeneration, updatedNumberScheduled, numberAvailable } = status;
      if (observedGeneration !== metadata.generation || updatedNumberScheduled !== 1 || numberAvailable !== 1)
        return `${metadata.name}: ${JSON.stringify({ ...status, generation: metadata.generation })}`;
    }
    const pods = await listPods();
    const uids = new Set(pods.map(({ metadata }) => metadata.uid));
    if (pods.length !== NAMES.length) return `pods: ${pods.map(({ metadata }) => metadata.name)}`;
    const seen = await containers();
    const running = seen.filter(({ State }) => State === 'running');
    const orphan = seen.find(
      ({ Labels }) => !uids.has(Labels['io.kubernetes.pod.uid'] ?? '') && Labels[KNOWN_STRAY] === undefined,
    );
    if (orphan) return `${orphan.Names} belongs to no pod`;
    if (running.length !== RUNNING) return `running: ${running.map(({ Names }) => Names[0])}`;
    const config = await containerOf('config');
    const content = config && (await readConfig(docker, config.Id));
    return content === `${round}` ? undefined : `/config/round is ${content} in round ${round}`;
  };

  /** It carries the agent's label and belongs to nobody: the agent's reaper has it in five minutes. */
  const addStray = async (labels: { readonly [key: string]: string }) => {
    const [key = '', value = ''] = owner.split('=');
    const stray = { Image: IMAGE, Cmd: ['true'], Labels: { [key]: value, ...labels } };
    await (await docker.createContainer(stray)).start();
  };

  return {
    violations: () => [...violations],
    containers,
    create: async () => {
      await api('POST', CONFIG.replace(/\/soak$/, ''), {
        metadata: { name: 'soak' },
        data: { round: '0' },
      });
      await api('POST', SECRET.replace(/\/soak$/, ''), {
        metadata: { name: 'soak' },
        stringData: { key: '0' },
      });
      for (const name of NAMES)
        await api('POST', SETS, {
          apiVersion: 'apps/v1',
          kind: 'DaemonSet',
          metadata: { name },
          spec: {
            selector: { matchLabels: { app: name } },
            revisionHistoryLimit: 2,
            template: template(name, 0),
          },
        });
    },
    disturb: async (round) => {
      const [target = '', next = ''] = [0, 1].map((offset) => NAMES[(round + offset) % NAMES.length]);
      const killed = await containerOf(target);
      if (killed) await docker.getContainer(killed.Id).kill().catch(ignoreGone);
      // Every now and then what holds the pod's network.
      const removed =
        (round % 3 === 0 ? await containerOf('pair', 'POD') : undefined) ?? (await containerOf(next));
      if (removed) await docker.getContainer(removed.Id).remove({ force: true }).catch(ignoreGone);
      await api('PATCH', CONFIG, { data: { round: `${round}` } }, MERGE);
      await api('PATCH', SECRET, { stringData: { key: `${round}` } }, MERGE);
      await api('PATCH', `${SETS}/${target}`, { spec: { template: template(target, round) } }, MERGE);
    },
    readLogs: async () => {
      for (const { metadata } of await listPods())
        await api('GET', `${PODS}/${metadata.name}/log?container=main&tailLines=500`).catch(() => {});
    },
    settled: async (round) => {
      const giveUpAt = performance.now() + REST_MS;
      for (;;) {
        const why = await unrest(round);
        if (why === undefined) return;
        if (performance.now() > giveUpAt) throw new Error(`round ${round} does not come to rest: ${why}`);
        await pause(100);
      }
    },
    countEvents: async () =>
      ((await api('GET', EVENTS)) as { readonly items: readonly object[] }).items.length,
    historyBytes: async () => {
      const figures = String(await api('GET', '/metrics')).matchAll(
        /^fleetset_plane_history_bytes\{.*\} (\d+)$/gm,
      );
      return [...figures].reduce((sum, [, bytes]) => sum + Number(bytes), 0);
    },
    leak: async (kind, round) => {
      if (kind === 'containers') await addStray({ [KNOWN_STRAY]: '' });
      if (kind === 'orphans') await addStray({});
      if (kind === 'state') writeFileSync(join(fleet.agentDir, `leak-${round}`), 'x'.repeat(LEAK_BYTES));
      if (kind === 'database')
        await api('POST', CONFIG.replace(/\/soak$/, ''), {
          metadata: { name: `leak-${round}` },
          data: { text: 'x'.repeat(DATABASE_LEAK_BYTES) },
        });
    },
    remove: async () => {
      watching.abort();
      await watched;
      const isKnown = ({ Labels }: Docker.ContainerInfo) => Labels[KNOWN_STRAY] !== undefined;
      for (const name of NAMES) await api('DELETE', `${SETS}/${name}`);
      await until('no container is left', async () => (await containers()).every(isKnown)).catch(() => {});
      const left = await containers();
      for (const { Id } of left)
        await docker.getContainer(Id).remove({ force: true, v: true }).catch(ignoreGone);
      const forgotten = left.filter((one) => !isKnown(one));
      if (forgotten.length > 0) throw new Error(`left behind: ${forgotten.map(({ Names }) => Names[0])}`);
      await until('no mount is left', () => mountsBelow(fleet.folder) === 0);
    },
  };
}

const ignoreGone = (error: { readonly statusCode?: number }) => {
  if (error.statusCode !== 404 && error.statusCode !== 409) throw error;
};

/** Of this machine, in a folder. */
export const mountsBelow = (folder: string): number =>
  readFileSync('/proc/mounts', 'utf8').split(`${folder}/`).length - 1;

async function readConfig(docker: Docker, id: string): Promise<string | undefined> {
  try {
    const exec = await docker
      .getContainer(id)
      .exec({ Cmd: ['cat', '/config/round'], AttachStdout: true, Tty: true });
    const stream = await exec.start({ hijack: true, stdin: false, Tty: true });
    let text = '';
    for await (const chunk of stream) text += String(chunk);
    return text.trim();
  } catch {
    return undefined;
  }
}
