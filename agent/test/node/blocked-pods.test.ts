// Pods that may not start: seen before the old one is stopped, said where people look, and over as soon as it can be.
import type { TakenPort } from '@fleetset/scheduler-core/node/blocked-pods';
import type { PodStatus } from '@fleetset/scheduler-core/schema/pod';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { template, toldSet } from '../desired.ts';
import { fakeClock, type NodeWorld, openNodeWorld } from '../node-world.ts';
import { TEST_IMAGE } from '../pods.ts';
import { OBEYS } from '../test-programs.ts';

let world: NodeWorld;
let listening: TakenPort[];
beforeEach(async () => {
  fakeClock();
  listening = [];
  world = await openNodeWorld({ listening: () => listening });
});
afterEach(() => {
  vi.useRealTimers();
});

const web = (revision: string, over: object) =>
  toldSet('web', {
    revision,
    template: template({
      priorityClassName: revision,
      containers: [{ name: 'app', image: TEST_IMAGE, command: [...OBEYS.command], ...over }],
    }),
  });
const port = (containerPort: number) => ({ ports: [{ containerPort }] });
const memory = (amount: string) => ({ resources: { requests: { memory: amount } } });
const runs = (...titles: readonly string[]) =>
  world.until(
    `these run: ${titles.join(', ')}`,
    () => String(world.running()) === String([...titles].sort()),
  );
const statusOf = (revision: string): PodStatus => {
  const pod = world.report().pods.find((one) => one.revision === revision);
  return JSON.parse(pod?.statusJson ?? '{}');
};
const nginx = { protocol: 'TCP', port: 9100, program: 'nginx (process 7)' };
const MESSAGE = 'port 9100/TCP of the node is taken by nginx (process 7)';

describe('a port that a process of the machine has', () => {
  it('is said, and the pod starts when it is free', async () => {
    listening = [nginx];
    await world.tell({ daemonSets: [web('web-1', port(9100))] });
    await world.until('it is said', () => statusOf('web-1').reason === 'HostPortConflict');
    await world.pass(60);
    expect(world.running()).toEqual([]);
    expect(statusOf('web-1')).toMatchObject({
      phase: 'Pending',
      message: MESSAGE,
      containerStatuses: [{ state: { waiting: { reason: 'HostPortConflict', message: MESSAGE } } }],
    });
    const events = world
      .now()
      .events.take()
      .filter(({ reason }) => reason === 'HostPortConflict');
    expect(events.map(({ message }) => message)).toEqual([MESSAGE]);
    listening = [];
    await runs('web-1/app#0');
    expect(statusOf('web-1')).not.toHaveProperty('reason');
  });

  it('takes nothing down: the old pod runs on beside the one that waits', async () => {
    await world.tell({ daemonSets: [web('web-1', port(9200))] });
    await runs('web-1/app#0');
    listening = [nginx];
    await world.tell({ daemonSets: [web('web-2', port(9100))] });
    await world.until('it is said', () => statusOf('web-2').reason === 'HostPortConflict');
    await world.pass(60);
    expect(world.running()).toEqual(['web-1/app#0']);
    expect(world.engine.calls.some((call) => call.startsWith('stop'))).toBe(false);
    listening = [];
    await runs('web-2/app#0');
  });

  it('is no clash when the pod before it has it', async () => {
    await world.tell({ daemonSets: [web('web-1', port(9100))] });
    await runs('web-1/app#0');
    listening = [nginx];
    await world.tell({ daemonSets: [web('web-2', port(9100))] });
    await runs('web-2/app#0');
  });

  it('does not hold up the restart of what runs', async () => {
    await world.tell({ daemonSets: [web('web-1', port(9100))] });
    await runs('web-1/app#0');
    listening = [nginx];
    world.engine.end(world.container('web-1/app#0').id);
    await runs('web-1/app#1');
  });
});

describe('a pod that asks for more than there is', () => {
  it('is Pending, as a scheduler says it, and takes nothing down', async () => {
    await world.tell({ daemonSets: [web('web-1', memory('1Gi'))] });
    await runs('web-1/app#0');
    const calls = [...world.engine.calls];
    await world.tell({ daemonSets: [web('web-2', memory('17Gi'))] });
    await world.until('it is said', () => statusOf('web-2').conditions);
    await world.pass(60);
    expect(world.engine.calls).toEqual(calls);
    expect(statusOf('web-2')).toMatchObject({
      phase: 'Pending',
      conditions: [
        {
          type: 'PodScheduled',
          status: 'False',
          reason: 'Unschedulable',
          message: '0/1 nodes are available: 1 Insufficient memory.',
        },
      ],
    });
    expect(statusOf('web-2')).not.toHaveProperty('reason');
    const told = world
      .now()
      .events.take()
      .find(({ reason }) => reason === 'FailedScheduling');
    expect(told?.message).toBe('0/1 nodes are available: 1 Insufficient memory.');
    await world.tell({ daemonSets: [web('web-3', memory('16Gi'))] });
    await runs('web-3/app#0');
  });

  it('waits for another DaemonSet to make room', async () => {
    const other = toldSet('other', {
      template: template({
        containers: [{ name: 'app', image: TEST_IMAGE, command: [...OBEYS.command], ...memory('10Gi') }],
      }),
    });
    await world.tell({ daemonSets: [other] });
    await runs('other-1/app#0');
    await world.tell({ daemonSets: [other, web('web-1', memory('10Gi'))] });
    await world.pass(30);
    expect(world.running()).toEqual(['other-1/app#0']);
    await world.tell({ daemonSets: [web('web-1', memory('10Gi'))] });
    await runs('web-1/app#0');
  });
});
