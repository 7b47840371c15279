// The metrics and the pod list of a node that runs pods: from the real loop on the fake engine.
import { pino } from 'pino';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { localAnswers } from '../../src/local/local-answers.ts';
import { createMeters, meteredRuntime } from '../../src/local/meters.ts';
import { createAgentEvents } from '../../src/node/agent-events.ts';
import { loggedEvents } from '../../src/node/logged-events.ts';
import { template, toldSet } from '../desired.ts';
import { fakeClock, NODE_NAME, openNodeWorld } from '../node-world.ts';
import { TEST_IMAGE } from '../pods.ts';
import { WRITES_AND_STAYS } from '../test-programs.ts';

beforeEach(() => {
  fakeClock();
  return () => vi.useRealTimers();
});

const open = async () => {
  const meters = createMeters();
  const world = await openNodeWorld({ wrapRuntime: (runtime) => meteredRuntime(runtime, meters) });
  let passedAt = performance.now();
  const answers = localAnswers({
    nodeName: NODE_NAME,
    version: '1.2.3',
    agent: { engineTrouble: () => world.now().agent.engineTrouble() },
    pods: world.now().pods,
    bodies: world.now().bodies,
    desired: { current: world.told },
    meters,
    report: world.report,
    connected: () => true,
    passedAt: () => passedAt,
    monotonicNow: () => performance.now(),
  });
  return {
    world,
    meters,
    answers,
    value: (name: string) =>
      answers
        .metrics()
        .split('\n')
        .find((line) => line.startsWith(`${name} `))
        ?.slice(name.length + 1),
    pass: () => {
      passedAt = performance.now();
    },
  };
};
const web = (image = TEST_IMAGE) =>
  toldSet('web', {
    template: template({
      containers: [
        { name: 'app', image, command: [...WRITES_AND_STAYS.command], imagePullPolicy: 'IfNotPresent' },
      ],
    }),
  });

describe('the metrics', () => {
  it('count pods, restarts and what was told', async () => {
    const { world, value } = await open();
    await world.tell({ daemonSets: [web()] });
    await world.until('it runs', () => world.report().pods[0]?.ready);
    expect(value('fleetset_agent_pods{phase="Running",ready="true"}')).toBe('1');
    const pod = world.report().pods[0];
    const restarts = `fleetset_agent_container_restarts_total{namespace="default",pod="${pod?.name}",container="app"}`;
    expect(value(restarts)).toBe('0');
    world.engine.end(world.container('web-1/app#0').id);
    await world.until('it was restarted', () => world.running().includes('web-1/app#1'));
    expect(value(restarts)).toBe('1');
    expect(value('fleetset_agent_desired_generation')).toBe(String(world.told()?.generation?.counter));
    expect(value('fleetset_agent_engine_up')).toBe('1');
    expect(value('fleetset_agent_sync_connected')).toBe('1');
    expect(value('fleetset_agent_node_condition{condition="MemoryPressure"}')).toBe('0');
    expect(Number(value('process_resident_memory_bytes'))).toBeGreaterThan(1e6);
  });

  it('count pulls, and errors of the engine by call and kind', async () => {
    const { world, value } = await open();
    world.engine.addImage('there:1', { pullable: true });
    await world.tell({ daemonSets: [web('there:1')] });
    await world.until('it runs', () => world.report().pods[0]?.ready);
    expect(value('fleetset_agent_image_pulls_total{result="success"}')).toBe('1');
    await world.tell({
      daemonSets: [
        toldSet('db', { template: template({ containers: [{ name: 'app', image: 'gone:1' }] }) }),
        web('there:1'),
      ],
    });
    await world.until(
      'it was tried',
      () => value('fleetset_agent_image_pulls_total{result="failure"}') !== '0',
    );
    expect(value('fleetset_agent_engine_errors_total{call="pull",kind="pull-failed"}')).toBe(
      value('fleetset_agent_image_pulls_total{result="failure"}'),
    );
    world.engine.setDown(true);
    await world.until('it is noticed', () => value('fleetset_agent_engine_up') === '0');
    expect(
      Number(value('fleetset_agent_engine_errors_total{call="list",kind="unreachable"}')),
    ).toBeGreaterThan(0);
  });

  it('show how long looks take', () => {
    const meters = createMeters();
    for (const ms of [1, 30, 30, 20_000]) meters.passEnded(ms, ms > 10_000);
    const { passes, failedPasses } = meters.now();
    expect(passes.buckets.filter(([bound]) => [0.0025, 0.025, 0.05, 15].includes(bound))).toEqual([
      [0.0025, 1],
      [0.025, 1],
      [0.05, 3],
      [15, 3],
    ]);
    expect([passes.count, passes.sum, failedPasses]).toEqual([4, 20.061, 1]);
  });
});

describe('the pod list', () => {
  it('has pods as Kubernetes shows them', async () => {
    const { world, answers } = await open();
    await world.tell({ daemonSets: [web()] });
    await world.until('it runs', () => world.report().pods[0]?.ready);
    const [pod] = world.report().pods;
    expect(answers.pods()).toMatchObject({
      kind: 'PodList',
      apiVersion: 'v1',
      items: [
        {
          metadata: {
            name: pod?.name,
            namespace: 'default',
            uid: pod?.uid,
            labels: { 'controller-revision-hash': pod?.revision },
            ownerReferences: [{ kind: 'DaemonSet', name: 'web', controller: true }],
          },
          spec: { nodeName: NODE_NAME, containers: [{ name: 'app', image: TEST_IMAGE }] },
          status: { phase: 'Running', containerStatuses: [{ name: 'app', ready: true }] },
        },
      ],
    });
  });
});

it('a loop that does not go round is not healthy', async () => {
  const { world, answers, pass } = await open();
  expect(answers.unhealthy()).toBeUndefined();
  await world.pass(200);
  expect(answers.unhealthy()).toMatch(/^the node loop did not go round for 200 s$/);
  pass();
  expect(answers.unhealthy()).toBeUndefined();
});

it('events are lines of the log, with the pod they are about', async () => {
  const { world } = await open();
  await world.tell({ daemonSets: [web()] });
  await world.until('it runs', () => world.report().pods[0]?.ready);
  const lines: object[] = [];
  const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const events = loggedEvents(createAgentEvents(), logger, world.now().pods);
  const [pod] = world.report().pods;
  events.add({
    type: 'Warning',
    reason: 'Unhealthy',
    message: 'it is not',
    podUid: pod?.uid ?? '',
    container: 'app',
  });
  events.add({ type: 'Normal', reason: 'NodeHasSufficientMemory', message: 'it has' });
  expect(lines).toMatchObject([
    {
      level: 40,
      event: 'Unhealthy',
      namespace: 'default',
      pod: pod?.name,
      daemonSet: 'web',
      container: 'app',
      msg: 'it is not',
    },
    { level: 30, event: 'NodeHasSufficientMemory', msg: 'it has' },
  ]);
  expect(events.take()).toHaveLength(2);
});
