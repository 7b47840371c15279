// A whole agent on real Docker, told what to run by a plane that the test scripts.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentEvent, PodReport } from '@fleetset/proto/gen/fleetset/v1/node';
import type { PodStatus } from '@fleetset/scheduler-core/schema/pod';
import { pino } from 'pino';
import { type AgentOptions, startAgent } from '../../src/agent.ts';
import { ownerOf, writeIdentity } from '../../src/identity/identity-files.ts';
import { bodiesNamed, type DesiredParts, desired } from '../desired.ts';
import { openProxy, removeContainersOf } from '../docker-engine.ts';
import type { EngineProxy } from '../engine-proxy.ts';
import { openScriptedPlane, type PlaneSession } from '../scripted-plane.ts';
import { until } from '../wait-until.ts';

export interface DockerAgent {
  readonly directory: string;
  readonly owner: string;
  readonly proxy: EngineProxy;
  readonly session: PlaneSession;
  /** Each time under the next generation. */
  readonly tell: (parts: Omit<DesiredParts, 'counter'>) => void;
  /** As reported last. */
  readonly pods: () => readonly PodReport[];
  readonly podOf: (revision: string) => PodReport | undefined;
  readonly statusOf: (revision: string) => PodStatus;
  /** All that were ever told. */
  readonly events: () => readonly AgentEvent[];
  readonly comes: <T>(what: string, holds: () => T | Promise<T>) => ReturnType<typeof until<T>>;
  /** The plane goes, and does not come back. */
  readonly restartAlone: (meanwhile: () => Promise<unknown>) => Promise<void>;
  /** And removes all that it made. */
  readonly stop: () => Promise<void>;
}

export async function openDockerAgent(
  nodeName: string,
  options: Pick<Partial<AgentOptions>, 'node' | 'dockerSocket'> = {},
): Promise<DockerAgent> {
  const plane = await openScriptedPlane();
  const proxy = await openProxy();
  const identity = plane.identity(nodeName);
  const directory = await mkdtemp(join(tmpdir(), `fleetset-${nodeName}-`));
  await writeIdentity(directory, identity);
  const start = () =>
    startAgent({
      dataDir: directory,
      dockerSocket: proxy.socketPath,
      labels: {},
      taints: [],
      version: '0.1.0-test',
      logger: pino({ enabled: false }),
      ...options,
    });
  let agent = await start();
  const session = await plane.nextSession();
  session.welcome();
  const pods = () => session.all('report').at(-1)?.pods ?? [];
  const podOf = (name: string) => pods().find(({ revision }) => revision === name);
  let counter = 0;
  return {
    directory,
    owner: ownerOf(identity),
    proxy,
    session,
    tell: (parts) => {
      counter += 1;
      const bodies = bodiesNamed(parts).map(({ hash, content }) => ({ hash, content }));
      session.send({ $case: 'bodies', value: { bodies } });
      session.send({ $case: 'desired', value: desired({ ...parts, counter }) });
    },
    pods,
    podOf,
    statusOf: (revision) => JSON.parse(podOf(revision)?.statusJson ?? '{}'),
    events: () => session.all('report').flatMap(({ events }) => events),
    restartAlone: async (meanwhile) => {
      await agent.stop();
      await plane.goDown();
      await meanwhile();
      agent = await start();
    },
    comes: until,
    stop: async () => {
      await agent.stop();
      await removeContainersOf(ownerOf(identity));
      await proxy.close();
      await plane.goDown();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
