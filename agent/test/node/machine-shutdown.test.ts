// The machine shuts down: pods end by their grace, nothing is started any more, and after the boot all is as it was.
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { template, toldSet } from '../desired.ts';
import { fakeClock, type NodeWorld, openNodeWorld } from '../node-world.ts';
import { TEST_IMAGE } from '../pods.ts';
import { IGNORES_TERM, OBEYS, type Program } from '../test-programs.ts';

let world: NodeWorld;
beforeEach(async () => {
  fakeClock();
  world = await openNodeWorld();
  return () => vi.useRealTimers();
});

const set = (name: string, program: Program, graceSeconds: number, hostNetwork = true) =>
  toldSet(name, {
    template: template({
      hostNetwork,
      terminationGracePeriodSeconds: graceSeconds,
      containers: [
        { name: 'app', image: TEST_IMAGE, command: [...program.command], imagePullPolicy: 'IfNotPresent' },
      ],
    }),
  });
const stops = () => world.engine.calls.filter((call) => call.startsWith('stop '));
const readyPods = () => world.report().pods.filter(({ ready }) => ready).length;

/** Answers how many seconds it took. */
async function shutDown(limitSeconds: number): Promise<number> {
  const beganAt = performance.now();
  let tookMs: number | undefined;
  const done = world
    .now()
    .agent.shutDown(limitSeconds * 1000)
    .then(() => {
      tookMs = performance.now() - beganAt;
    });
  await world.until('all is stopped', () => tookMs !== undefined);
  await done;
  return Math.round((tookMs ?? 0) / 1000);
}

describe('a shutdown of the machine', () => {
  it('stops a sidecar after the container that it serves (rule 101)', async () => {
    const container = (name: string, { command }: Program) => ({
      name,
      image: TEST_IMAGE,
      command: [...command],
      imagePullPolicy: 'IfNotPresent' as const,
    });
    const spec = {
      terminationGracePeriodSeconds: 10,
      initContainers: [{ ...container('car', OBEYS), restartPolicy: 'Always' as const }],
      containers: [container('app', IGNORES_TERM)],
    };
    await world.tell({ daemonSets: [toldSet('web', { template: template(spec) })] });
    await world.until('it is ready', () => readyPods() === 1);
    await shutDown(30);
    const order = stops().map((call) => call.split(' ')[1]);
    expect(order.slice(0, 2)).toEqual(['web-1/app#0', 'web-1/car#0']);
  });

  it('stops all pods at once, each by its grace and none longer than the limit, networks last', async () => {
    await world.tell({
      daemonSets: [
        set('web', OBEYS, 20, false),
        set('slow', IGNORES_TERM, 12),
        set('never', IGNORES_TERM, 3600),
      ],
    });
    await world.until('all run', () => readyPods() === 3);
    expect(await shutDown(30)).toBe(30);
    expect(stops()).toEqual([
      expect.stringMatching(/^stop \S+ grace \d+$/),
      expect.stringMatching(/^stop \S+ grace \d+$/),
      expect.stringMatching(/^stop \S+ grace \d+$/),
      'stop web-1/POD#0 grace 0',
    ]);
    expect(stops().slice(0, 3).sort()).toEqual([
      'stop never-1/app#0 grace 30',
      'stop slow-1/app#0 grace 12',
      'stop web-1/app#0 grace 20',
    ]);
    expect(world.running()).toEqual([]);
  });

  it('starts nothing any more, and tells that the pods are not ready', async () => {
    await world.tell({ daemonSets: [set('web', OBEYS, 20)] });
    await world.until('it runs', () => readyPods() === 1);
    await shutDown(30);
    await world.until('it is told', () => readyPods() === 0);
    await world.tell({ daemonSets: [set('web', OBEYS, 20), set('more', OBEYS, 20)] });
    await world.pass(400);
    expect(world.running()).toEqual([]);
    expect(world.engine.calls.filter((call) => call.startsWith('start '))).toHaveLength(1);
  });

  it('deletes no pod: after the boot the same ones run, with one restart', async () => {
    await world.tell({ daemonSets: [set('web', OBEYS, 20, false)] });
    await world.until('it runs', () => readyPods() === 1);
    const [before] = world.report().pods;
    await shutDown(30);
    await world.restart({ bootId: 'boot-2' });
    await world.until('it runs again', () => readyPods() === 1);
    const [after] = world.report().pods;
    expect([after?.uid, after?.name]).toEqual([before?.uid, before?.name]);
    expect(JSON.parse(after?.statusJson ?? '{}').containerStatuses[0].restartCount).toBe(1);
    expect(world.running()).toEqual(['web-1/POD#1', 'web-1/app#1']);
  });

  it('goes on though one container cannot be stopped', async () => {
    await world.tell({ daemonSets: [set('web', OBEYS, 5), set('stuck', OBEYS, 5)] });
    await world.until('both run', () => readyPods() === 2);
    world.engine.fail({ call: 'stop', how: 'before', about: 'stuck' });
    world.engine.fail({ call: 'kill', how: 'before', about: 'stuck' });
    expect(await shutDown(30)).toBe(0);
    expect(world.running()).toEqual(['stuck-1/app#0']);
    expect(
      world
        .now()
        .events.take()
        .some(({ reason }) => reason === 'FailedKillPod'),
    ).toBe(true);
  });
});
