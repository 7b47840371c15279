// The whole agent on real Docker with what a pod may be made of: init containers, a sidecar, hooks, last words, a user
// that is checked, and a port of the machine that somebody else has.
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PodReport } from '@fleetset/proto/gen/fleetset/v1/node';
import type { PodSpec, PodStatus } from '@fleetset/scheduler-core/schema/pod';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Agent, startAgent } from '../src/agent.ts';
import { ownerOf, writeIdentity } from '../src/identity/identity-files.ts';
import { bodiesNamed, type DesiredParts, desired, template, toldSet } from './desired.ts';
import { containersOf, openProxy, removeContainersOf } from './docker-engine.ts';
import type { EngineProxy } from './engine-proxy.ts';
import { TEST_IMAGE } from './pods.ts';
import { openScriptedPlane, type PlaneSession, type ScriptedPlane } from './scripted-plane.ts';
import { until } from './wait-until.ts';

const NODE = 'whole-pod-node';
let plane: ScriptedPlane;
let proxy: EngineProxy;
let owner: string;
let agent: Agent;
let session: PlaneSession;
let directory: string;
let counter = 0;

beforeAll(async () => {
  plane = await openScriptedPlane();
  proxy = await openProxy();
  owner = ownerOf(plane.identity(NODE));
  directory = await mkdtemp(join(tmpdir(), 'fleetset-whole-pod-'));
  await writeIdentity(directory, plane.identity(NODE));
  agent = await startAgent({
    dataDir: directory,
    dockerSocket: proxy.socketPath,
    labels: {},
    taints: [],
    version: '0.1.0-test',
    logger: pino({ enabled: false }),
  });
  session = await plane.nextSession();
  session.welcome();
});
afterAll(async () => {
  await agent.stop();
  await removeContainersOf(owner);
  await proxy.close();
  await plane.goDown();
  await rm(directory, { recursive: true, force: true });
});

const shell = (name: string, script: string, over: object = {}) => ({
  name,
  image: TEST_IMAGE,
  command: ['sh', '-c', script],
  imagePullPolicy: 'IfNotPresent',
  ...over,
});
const tell = (revision: string, over: Partial<PodSpec>) => {
  counter += 1;
  const spec = { priorityClassName: revision, terminationGracePeriodSeconds: 5, ...over };
  const parts: DesiredParts = {
    counter,
    daemonSets: [toldSet('web', { revision, template: template(spec) })],
  };
  session.send({
    $case: 'bodies',
    value: { bodies: bodiesNamed(parts).map(({ hash, content }) => ({ hash, content })) },
  });
  session.send({ $case: 'desired', value: desired(parts) });
};
const podOf = (revision: string): PodReport | undefined =>
  session
    .all('report')
    .at(-1)
    ?.pods.find((pod) => pod.revision === revision);
const statusOf = (revision: string): PodStatus => JSON.parse(podOf(revision)?.statusJson ?? '{}');
const comes = (what: string, holds: () => unknown) => until(what, holds, 40_000);
const STAYS = 'trap "exit 0" TERM; sleep 1000 & wait';

describe('an agent', () => {
  it('initializes a pod, keeps its sidecar, and ends both in order, with their hooks', {
    timeout: 100_000,
  }, async () => {
    const work = join(directory, 'work');
    const diary = (word: string) => `echo ${word} >> /work/diary`;
    const volumes = { volumeMounts: [{ name: 'work', mountPath: '/work' }] };
    const hook = (word: string) => ({ exec: { command: ['sh', '-c', diary(word)] } });
    const stays = (word: string) =>
      `trap "${diary(`${word}-ends`)}; exit 0" TERM; ${diary(word)}; sleep 1000 & wait`;
    tell('web-1', {
      volumes: [{ name: 'work', hostPath: { path: work, type: 'DirectoryOrCreate' } }],
      initContainers: [
        shell('first', diary('first'), volumes),
        shell('car', stays('car'), {
          ...volumes,
          restartPolicy: 'Always',
          startupProbe: { exec: { command: ['grep', 'car', '/work/diary'] }, periodSeconds: 1 },
        }),
      ],
      containers: [
        shell('app', stays('app'), {
          ...volumes,
          lifecycle: { postStart: hook('postStart'), preStop: hook('preStop') },
        }),
      ],
    });
    const lines = async () => (await readFile(join(work, 'diary'), 'utf8')).trim().split('\n');
    await comes('it is ready', () => podOf('web-1')?.ready);
    expect(statusOf('web-1')).toMatchObject({
      phase: 'Running',
      initContainerStatuses: [
        { name: 'first', ready: true, state: { terminated: { reason: 'Completed' } } },
        { name: 'car', ready: true, started: true },
      ],
    });
    const begun = await lines();
    expect(begun.slice(0, 2)).toEqual(['first', 'car']);
    expect(begun.slice(2).sort()).toEqual(['app', 'postStart']);
    tell('web-2', { containers: [shell('app', STAYS)] });
    await comes('the next one is ready', () => podOf('web-2')?.ready);
    expect((await lines()).slice(4)).toEqual(['preStop', 'app-ends', 'car-ends']);
  });

  it('shows what a container left to say, and why it may not be root', { timeout: 100_000 }, async () => {
    tell('web-3', {
      containers: [
        shell('app', 'echo out of luck > /dev/termination-log; exit 3', {
          terminationMessagePath: '/dev/termination-log',
        }),
      ],
    });
    await comes('its last words', () => podOf('web-3')?.statusJson.includes('out of luck'));
    tell('web-4', { containers: [shell('app', STAYS, { securityContext: { runAsNonRoot: true } })] });
    await comes(
      'that it is root',
      () => statusOf('web-4').containerStatuses?.[0]?.state?.waiting?.reason === 'CreateContainerConfigError',
    );
    expect(statusOf('web-4').containerStatuses?.[0]?.state?.waiting?.message).toMatch(
      /^container has runAsNonRoot and image will run as root \(pod: "web-.*", container: app\)$/,
    );
  });

  it('sees that a port of the machine is taken, before the old pod stops', { timeout: 100_000 }, async () => {
    tell('web-5', { containers: [shell('app', STAYS)] });
    await comes('it is ready', () => podOf('web-5')?.ready);
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    tell('web-6', { containers: [shell('app', STAYS, { ports: [{ containerPort: port }] })] });
    await comes('the clash is told', () => statusOf('web-6').reason === 'HostPortConflict');
    expect(statusOf('web-6').message).toBe(
      `port ${port}/TCP of the node is taken by ${await commOf(process.pid)} (process ${process.pid})`,
    );
    expect(podOf('web-5')?.ready).toBe(true);
    const running = (await containersOf(owner)).filter(({ State }) => State === 'running');
    expect(running).toHaveLength(1);
    server.close();
    await comes('it starts when the port is free', () => podOf('web-6')?.ready);
  });
});

const commOf = async (pid: number) => (await readFile(`/proc/${pid}/comm`, 'utf8')).trim();
