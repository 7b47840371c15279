// Config in real containers: what a program in a pod reads from its environment and its files, while ConfigMaps and
// Secrets change, and after the machine was restarted.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PodSpec } from '@fleetset/scheduler-core/schema/pod';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAgentEvents } from '../src/node/agent-events.ts';
import { startNodeAgent } from '../src/node/node-agent.ts';
import type { NodeAgent } from '../src/node/node-agent-parts.ts';
import type { ContainerRuntime } from '../src/runtime/container-runtime.ts';
import { createDockerRuntime } from '../src/runtime/docker-runtime.ts';
import { openBodyFiles } from '../src/state/body-files.ts';
import { openPodBook } from '../src/state/pod-book.ts';
import { openTerminationLogs } from '../src/state/termination-logs.ts';
import { systemMounts } from '../src/volumes/mounts.ts';
import { openPodVolumes } from '../src/volumes/pod-volumes.ts';
import { bodiesNamed, type DesiredParts, desired, template, toldConfig, toldSet } from './desired.ts';
import { containersOf, docker, removeContainersOf } from './docker-engine.ts';
import { DOCKER_SOCKET } from './engine-proxy.ts';
import { NO_TOKENS } from './no-tokens.ts';
import { TEST_IMAGE, uniqueOwner } from './pods.ts';
import { smallDisksWork } from './small-disk.ts';
import { OBEYS } from './test-programs.ts';
import { until } from './wait-until.ts';

const owner = uniqueOwner();
let directory: string;
let runtime: ContainerRuntime;
let agent: NodeAgent;
let told: DesiredParts = {};
let counter = 0;

async function startAgent(): Promise<NodeAgent> {
  runtime = createDockerRuntime({ socketPath: DOCKER_SOCKET, owner });
  const bodies = await openBodyFiles(join(directory, 'bodies'));
  await bodies.put(bodiesNamed(told));
  const started = startNodeAgent({
    nodeName: 'docker-node',
    runtime,
    pods: await openPodBook(directory, () => {}),
    bodies,
    tokens: NO_TOKENS,
    mappedRoot: () => 0,
    volumes: openPodVolumes(join(directory, 'pods'), systemMounts),
    events: createAgentEvents(),
    ownLabels: () => ({}),
    ownTaints: () => [],
    nodeIp: () => '192.0.2.1',
    allocatable: { cpus: 3, memoryBytes: 2 ** 32, diskBytes: 0 },
    machineMemoryBytes: 2 ** 32,
    room: () => ({ cpuMilli: 3000, memoryBytes: 2 ** 32, pods: 110 }),
    takenPorts: async () => [],
    minOomScoreAdjust: 0,
    terminationLogs: openTerminationLogs(join(directory, 'termination-logs')),
    seccompDirectory: join(directory, 'seccomp'),
    monotonicNow: () => performance.now(),
    machineTime: () => ({ bootId: 'boot', upMs: performance.now() }),
    held: () => undefined,
    logger: pino({ enabled: false }),
    onChange: () => {},
  });
  started.setDesired(desired({ counter, ...told }));
  return started;
}

/** As the plane would: the agent is stopped for it, so that one book of bodies is enough. */
async function tell(parts: DesiredParts): Promise<void> {
  counter += 1;
  told = parts;
  await agent.stop();
  agent = await startAgent();
}

const web = (over: Partial<PodSpec>, container: object = {}) =>
  toldSet('web', {
    template: {
      ...template({
        hostNetwork: false,
        terminationGracePeriodSeconds: 1,
        containers: [
          {
            name: 'app',
            image: TEST_IMAGE,
            command: [...OBEYS.command],
            imagePullPolicy: 'IfNotPresent',
            ...container,
          },
        ],
        ...over,
      }),
      metadata: { labels: { app: 'web' } },
    },
  });

const runningApp = async () =>
  (await containersOf(owner)).find(
    ({ State, Labels }) => State === 'running' && Labels['io.kubernetes.container.name'] === 'app',
  );
const started = () => until('the container runs', runningApp);
/** What a shell in the container says. */
async function shell(script: string): Promise<string> {
  const { Id } = await started();
  const { output } = await runtime.exec(Id, ['sh', '-c', script], 60_000);
  return output.trim();
}
const gone = async () => {
  await tell({});
  await until('nothing of the pod is left', async () => (await containersOf(owner)).length === 0);
};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fleetset-agent-test-'));
  agent = await startAgent();
});
afterAll(async () => {
  await agent.stop();
  await removeContainersOf(owner);
  await systemMounts.unmountAll(directory);
  await rm(directory, { recursive: true, force: true });
});

const settings = (level: string) =>
  toldConfig('ConfigMap', 'app', { level, 'app.conf': `level=${level}`, place: level, file: level });
const login = (password: string) => toldConfig('Secret', 'login', { password });

describe('a container', () => {
  it('has its environment from ConfigMaps, Secrets, its pod and its node', async () => {
    const container = {
      envFrom: [{ configMapRef: { name: 'app' }, prefix: 'APP_' }],
      env: [
        { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'login', key: 'password' } } },
        { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
        { name: 'HOST', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } },
        { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
        { name: 'CPUS', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
        { name: 'ALL', value: '$(APP_level)-$(PASSWORD)-$(NODE)' },
      ],
    };
    await tell({ daemonSets: [web({}, container)], configs: [settings('debug'), login('s3cret')] });
    expect(await shell('echo $APP_level $PASSWORD $NODE $HOST $CPUS $ALL')).toBe(
      'debug s3cret docker-node 192.0.2.1 3 debug-s3cret-docker-node',
    );
    const addresses = await shell(
      "echo $IP; ip addr show dev eth0 | sed -n 's/.*inet \\([0-9.]*\\).*/\\1/p'",
    );
    const [named, real] = addresses.split('\n');
    expect(named).toBe(real);
    await gone();
  });
});

describe.skipIf(!smallDisksWork)('volumes', () => {
  const spec: Partial<PodSpec> = {
    volumes: [
      { name: 'conf', configMap: { name: 'app', defaultMode: 0o640 } },
      { name: 'key', secret: { secretName: 'login', defaultMode: 0o400 } },
      { name: 'fast', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
      { name: 'work', emptyDir: {} },
      {
        name: 'about',
        projected: {
          sources: [
            { downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
            { configMap: { name: 'app', items: [{ key: 'level', path: 'app/level' }] } },
          ],
        },
      },
    ],
  };
  const mounts = {
    env: [{ name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
    volumeMounts: [
      { name: 'conf', mountPath: '/conf' },
      { name: 'conf', mountPath: '/etc/app.conf', subPath: 'app.conf' },
      { name: 'key', mountPath: '/key' },
      { name: 'fast', mountPath: '/fast' },
      { name: 'work', mountPath: '/work' },
      { name: 'work', mountPath: '/mine', subPathExpr: 'of/$(POD)' },
      { name: 'about', mountPath: '/about' },
      { name: 'key', mountPath: '/conf/key' },
      { name: 'work', mountPath: '/key/work' },
      { name: 'key', mountPath: '/conf/place' },
      { name: 'key', mountPath: '/conf/file', subPath: 'password' },
    ],
  };
  const set = web(spec, mounts);

  it('hold what is asked for, where and how it is asked for', async () => {
    await tell({ daemonSets: [set], configs: [settings('debug'), login('s3cret')] });
    expect(await shell('cat /conf/level /conf/app.conf /etc/app.conf /key/password /about/app/level')).toBe(
      'debuglevel=debuglevel=debugs3cretdebug',
    );
    expect(await shell('cat /about/labels')).toBe('app="web"\ncontroller-revision-hash="web-1"');
    expect(await shell('stat -L -c %a /conf/level /key/password')).toBe('640\n400');
    expect(await shell('stat -f -c %T /key /about /fast')).toBe('tmpfs\ntmpfs\ntmpfs');
    expect(await shell('touch /conf/x /key/x /about/x 2>&1 | grep -c Read-only')).toBe('3');
    expect(await shell("df -k /fast | tail -1 | awk '{ print $2 }'")).toBe('1024');
    expect(await shell('echo kept > /work/a; echo kept > /mine/b; ls /work/of/$POD')).toBe('b');
    expect(await shell('cat /conf/key/password /key/work/a')).toBe('s3cretkept');
    expect(await shell('cat /conf/place/password /conf/file')).toBe('s3crets3cret');
  });

  it('change while the container runs; what was mounted as a single path does not', async () => {
    const { Id } = await started();
    await tell({ daemonSets: [set], configs: [settings('info'), login('other')] });
    await until(
      'the files are new',
      async () => (await shell('cat /conf/level /key/password /about/app/level')) === 'infootherinfo',
    );
    expect(await shell('cat /etc/app.conf')).toBe('level=debug');
    expect(await shell('cat /conf/place/password /conf/file')).toBe('others3cret');
    // The old ones go after the new ones are in their place.
    await until(
      'the old files are gone',
      async () => (await shell('ls -a /conf | grep -c "^[.][.]2"')) === '1',
    );
    expect((await started()).Id).toBe(Id);
  });

  it('are kept when the container is made anew, which sees single paths as they are then', async () => {
    const { Id } = await started();
    await docker.getContainer(Id).kill();
    await until('another runs', async () => ![undefined, Id].includes((await runningApp())?.Id));
    expect(await shell('cat /etc/app.conf; cat /work/a /mine/b')).toBe('level=infokept\nkept');
  });

  it('in memory are made again after a reboot, before the containers start', async () => {
    await agent.stop();
    await Promise.all(
      (await containersOf(owner)).map(({ Id }) =>
        docker
          .getContainer(Id)
          .kill()
          .catch(() => {}),
      ),
    );
    await systemMounts.unmountAll(directory);
    agent = await startAgent();
    expect(await shell('cat /key/password /conf/level; cat /work/a /mine/b')).toBe('otherinfokept\nkept');
    expect(await shell('stat -f -c %T /key')).toBe('tmpfs');
    await gone();
  });

  it('belong to fsGroup, which is a group of the container', async () => {
    const grouped = web(
      {
        ...spec,
        securityContext: { fsGroup: 2345, runAsUser: 1000, runAsGroup: 1000 },
      },
      mounts,
    );
    await tell({ daemonSets: [grouped], configs: [settings('debug'), login('s3cret')] });
    expect(await shell('id -G')).toBe('1000 2345');
    expect(await shell('cat /key/password; touch /work/x /fast/x && stat -c %g /work/x /fast/x')).toBe(
      's3cret2345\n2345',
    );
    await gone();
  });
});
