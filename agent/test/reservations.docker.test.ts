// What is reserved for the machine is no pod's, on real Docker: a pod that asks for more than is left is told with the
// scheduler's reason, the one before it runs on, and it starts by itself when there is room.
import { availableParallelism, totalmem } from 'node:os';
import type { NodeStatus } from '@fleetset/scheduler-core/schema/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_NODE_SETTINGS } from '../src/node-settings.ts';
import { template, toldSet } from './desired.ts';
import { containersOf } from './docker-engine.ts';
import { TEST_IMAGE } from './pods.ts';
import { type DockerAgent, openDockerAgent } from './support/docker-agent.ts';
import { OBEYS } from './test-programs.ts';

const MI = 2 ** 20;
/** What pods may have. */
const LEFT = { cpuMilli: 500, memoryBytes: 256 * MI };

let agent: DockerAgent;
beforeAll(async () => {
  const reserved = {
    cpuMillis: availableParallelism() * 1000 - LEFT.cpuMilli,
    memoryBytes: totalmem() - LEFT.memoryBytes,
    diskBytes: 0,
  };
  agent = await openDockerAgent('reserved-node', { node: { ...DEFAULT_NODE_SETTINGS, reserved } });
});
afterAll(() => agent.stop());

const asking = (name: string, revision: string, requests: { cpu?: string; memory?: string }) =>
  toldSet(name, {
    revision,
    template: template({
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: 'app',
          image: TEST_IMAGE,
          command: [...OBEYS.command],
          imagePullPolicy: 'IfNotPresent',
          resources: { requests },
        },
      ],
    }),
  });
const scheduled = (revision: string) =>
  agent.statusOf(revision).conditions?.find(({ type }) => type === 'PodScheduled');
const running = async () =>
  (await containersOf(agent.owner)).filter(({ State }) => State === 'running').map(({ Id }) => Id);

describe('of what is not reserved', () => {
  it('the node tells', async () => {
    const status = await agent.comes('it reports', (): NodeStatus | undefined =>
      JSON.parse(agent.session.all('report').at(-1)?.facts?.statusJson ?? 'null'),
    );
    expect(status.allocatable).toMatchObject({ cpu: '500m', memory: '262144Ki' });
  });

  it.each([
    ['cpu', { cpu: '600m' }],
    ['memory', { memory: '257Mi' }],
  ])('a pod that asks for more %s has nothing, and the one before it runs on', async (what, requests) => {
    const [fits, large] = [`fits-${what}`, `large-${what}`];
    agent.tell({ daemonSets: [asking('web', fits, { cpu: '500m', memory: '256Mi' })] });
    await agent.comes('it is ready', () => agent.podOf(fits)?.ready);
    const before = await running();
    agent.tell({ daemonSets: [asking('web', large, requests)] });
    await agent.comes('it waits', () => scheduled(large)?.status === 'False');
    expect(scheduled(large)).toMatchObject({
      reason: 'Unschedulable',
      message: `0/1 nodes are available: 1 Insufficient ${what}.`,
    });
    expect(agent.statusOf(large).phase).toBe('Pending');
    expect(agent.podOf(fits)?.ready).toBe(true);
    expect(await running()).toEqual(before);
  });

  it('a pod that waits has its part as soon as another pod leaves it', async () => {
    const [one, two] = [asking('web', 'one', { cpu: '300m' }), asking('other', 'two', { cpu: '300m' })];
    agent.tell({ daemonSets: [one] });
    await agent.comes('the first is ready', () => agent.podOf('one')?.ready);
    agent.tell({ daemonSets: [one, two] });
    await agent.comes('the other waits', () => scheduled('two')?.reason === 'Unschedulable');
    agent.tell({ daemonSets: [two] });
    await agent.comes('the other is ready', () => agent.podOf('two')?.ready);
    expect(await running()).toHaveLength(1);
  });
});
