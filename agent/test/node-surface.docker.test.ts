// What an agent on real Docker tells of its node: usage as the engine itself counts it, and its local endpoints.
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startAgent } from '../src/agent.ts';
import { ownerOf, writeIdentity } from '../src/identity/identity-files.ts';
import { DEFAULT_NODE_SETTINGS } from '../src/node-settings.ts';
import { createDockerRuntime } from '../src/runtime/docker-runtime.ts';
import { createSampler } from '../src/usage/take-sample.ts';
import { bodiesNamed, desired, template, toldSet } from './desired.ts';
import { docker, removeContainersOf } from './docker-engine.ts';
import { DOCKER_SOCKET } from './engine-proxy.ts';
import { settings, TEST_IMAGE, uniqueOwner } from './pods.ts';
import { openScriptedPlane, type ScriptedPlane } from './scripted-plane.ts';
import { tempDirectory } from './temp-directory.ts';
import type { Program } from './test-programs.ts';
import { until } from './wait-until.ts';

const NODE = 'surface-node';
const BURNS: Program = { command: ['sh', '-c', 'trap "exit 0" TERM; while :; do :; done'] };
const owner = uniqueOwner();
let plane: ScriptedPlane;

beforeAll(async () => {
  plane = await openScriptedPlane();
});
afterAll(async () => {
  await removeContainersOf(owner, ownerOf(plane.identity(NODE)));
  await plane.goDown();
});

interface EngineStats {
  readonly cpu_stats: { readonly cpu_usage: { readonly total_usage: number } };
}

it('what a container used is what the engine counts, without asking it', async () => {
  const runtime = createDockerRuntime({ socketPath: DOCKER_SOCKET, owner });
  const id = await runtime.create(settings(BURNS, { cpuQuota: 20_000, cpuPeriod: 100_000 }));
  await runtime.start(id);
  const counted = async () =>
    ((await docker.getContainer(id).stats({ stream: false, 'one-shot': true })) as EngineStats).cpu_stats
      .cpu_usage.total_usage;
  const take = createSampler();
  const ours = async () => take(await runtime.list(), 0).containers.get(id);
  const before = await until('it has begun', async () => (await counted()) || undefined);
  const used = await ours();
  const after = await counted();
  expect(used?.cpuNanos).toBeGreaterThanOrEqual(before);
  expect(used?.cpuNanos).toBeLessThanOrEqual(after);
  expect(used?.memoryBytes).toBeGreaterThan(4096);
  expect(used?.memoryBytes).toBeLessThan(2 ** 28);
  await runtime.remove(id);
  expect(await ours()).toBeUndefined();
  expect(take([], 0).node.cpuNanos).toBeGreaterThan(after);
});

describe('an agent', () => {
  it('tells what its pods use while somebody looks, and answers on loopback', async () => {
    const dataDir = await tempDirectory();
    await writeIdentity(dataDir, plane.identity(NODE));
    const agent = await startAgent({
      dataDir,
      dockerSocket: DOCKER_SOCKET,
      labels: {},
      taints: [],
      node: { ...DEFAULT_NODE_SETTINGS, local: { host: '127.0.0.1', port: 0 } },
      version: '0.1.0-test',
      logger: pino({ enabled: false }),
    });
    // Before its directory goes.
    onTestFinished(agent.stop);
    const session = await plane.nextSession();
    session.welcome();
    const told = {
      daemonSets: [
        toldSet('busy', {
          template: template({
            containers: [
              {
                name: 'app',
                image: TEST_IMAGE,
                command: [...BURNS.command],
                imagePullPolicy: 'IfNotPresent',
                resources: { limits: { cpu: '200m' } },
              },
            ],
          }),
        }),
      ],
    };
    session.send({
      $case: 'bodies',
      value: { bodies: bodiesNamed(told).map(({ hash, content }) => ({ hash, content })) },
    });
    session.send({ $case: 'desired', value: desired(told) });
    const pod = await until('it runs', () =>
      session
        .all('report')
        .at(-1)
        ?.pods.find(({ ready }) => ready),
    );
    expect(session.all('usage')).toEqual([]);
    session.send({ $case: 'usageWanted', value: { forMs: 120_000 } });
    // A container that a loaded machine did not run for a second used nothing in it: it is told again.
    const usage = await until('usage is told', () =>
      session.all('usage').find(({ pods }) => Number(pods[0]?.containers[0]?.cpuNanoCores) > 1e7),
    );
    expect(usage.pods).toMatchObject([{ podUid: pod.uid, containers: [{ name: 'app' }] }]);
    const app = usage.pods[0]?.containers[0];
    // It would take a whole core: the limit holds it, and the node has more to do than this pod.
    expect(app?.cpuNanoCores).toBeLessThan(5e8);
    expect(usage.memoryBytes).toBeGreaterThan(app?.memoryBytes ?? Number.POSITIVE_INFINITY);

    const port = await until('it listens', agent.localPort);
    const get = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text();
    expect([await get('/healthz'), await get('/readyz')]).toEqual(['ok', 'ok']);
    const metrics = await get('/metrics');
    expect(metrics).toContain('fleetset_agent_pods{phase="Running",ready="true"} 1\n');
    expect(metrics).toContain('fleetset_agent_sync_connected 1\n');
    expect(metrics).toMatch(/^fleetset_agent_reports_total [1-9]/m);
    expect(JSON.parse(await get('/pods')).items).toMatchObject([
      { metadata: { name: pod.name }, spec: { nodeName: NODE }, status: { phase: 'Running' } },
    ]);
  });
});
