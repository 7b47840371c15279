// A report says what is known, and says when it is not: what ran well before is not called down because nobody has
// looked, and what has begun to end is not called well again.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { template, toldSet } from '../desired.ts';
import { fakeClock, type NodeWorld, openNodeWorld } from '../node-world.ts';
import { TEST_IMAGE } from '../pods.ts';
import { IGNORES_TERM, OBEYS, SUCCEEDS_SILENTLY } from '../test-programs.ts';

let world: NodeWorld;
beforeEach(async () => {
  fakeClock();
  world = await openNodeWorld();
});
afterEach(() => {
  vi.useRealTimers();
});

const pod = () => world.report().pods[0];
const said = () => {
  const { ready, available, unknown, statusJson } = pod() ?? {};
  const { phase } = JSON.parse(statusJson ?? '{}') as { phase?: string };
  return { ready, available, unknown, phase };
};
const isAvailable = () => world.until('it is available', () => pod()?.available);
const WELL = { ready: true, available: true, unknown: false, phase: 'Running' };

describe('after a restart of the agent', () => {
  const probed = template({
    containers: [
      {
        name: 'app',
        image: TEST_IMAGE,
        command: [...OBEYS.command],
        readinessProbe: { exec: { command: [...SUCCEEDS_SILENTLY.command] }, timeoutSeconds: 30 },
      },
    ],
  });

  it('with an engine that does not answer, a pod is what it was, and unknown', async () => {
    await world.tell({ daemonSets: ['web'] });
    await isAvailable();
    world.engine.setDown(true);
    await world.restart();
    await world.until('the look failed', () => world.now().agent.settled());
    expect(said()).toEqual({ ...WELL, unknown: true });
    world.engine.setDown(false);
    await world.until('it is known again', () => pod()?.unknown === false);
    expect(said()).toEqual(WELL);
  });

  it('with a readiness probe that takes long, it is what it was until the probe says otherwise', async () => {
    await world.tell({ daemonSets: [toldSet('web', { template: probed })] });
    await isAvailable();
    world.engine.setLatency('exec', 8000);
    await world.restart();
    await world.pass(6);
    expect(said()).toEqual({ ...WELL, unknown: true });
    await world.until('it is known again', () => pod()?.unknown === false);
    expect(said()).toEqual(WELL);
  });

  it('with a readiness probe that cannot be run, it is what it was (rule 85)', async () => {
    await world.tell({ daemonSets: [toldSet('web', { template: probed })] });
    await isAvailable();
    const before = world.engine.count('exec');
    const asked = () => world.engine.count('exec') - before;
    world.engine.fail({ call: 'exec', how: 'after', times: 2 });
    await world.restart();
    await world.until('it was tried twice', () => asked() === 2 && pod()?.unknown === false);
    expect(said()).toEqual(WELL);
  });

  it('with a damaged template, it is what it was, and unknown', async () => {
    const set = toldSet('web');
    await world.tell({ daemonSets: [set] });
    await isAvailable();
    const path = join(world.directory, 'bodies', set.told.templateHash);
    await world.restart({ meanwhile: () => writeFile(path, 'x') });
    await world.pass(10);
    expect(said()).toEqual({ ...WELL, unknown: true });
  });
});

describe('minReadySeconds', () => {
  const slow = () => world.tell({ daemonSets: [toldSet('web', { minReadySeconds: 600 })] });
  const app0 = () => world.container('web-1/app#0').id;
  const again = () => world.until('it runs again', () => String(world.running()) === 'web-1/app#1');

  it('counts on over a restart of the agent', async () => {
    await slow();
    await world.pass(300);
    await world.restart();
    await world.pass(290);
    expect(pod()).toMatchObject({ ready: true, available: false });
    await world.pass(20);
    expect(said()).toEqual(WELL);
  });

  it('is kept to while the engine does not answer a new agent', async () => {
    await slow();
    await world.pass(300);
    world.engine.setDown(true);
    await world.restart();
    await world.until('the look failed', () => world.now().agent.settled());
    expect(pod()).toMatchObject({ ready: true, available: false, unknown: true });
  });

  it('begins anew with another container, also when nobody listens to reports', async () => {
    await slow();
    await world.pass(601);
    expect(said()).toEqual(WELL);
    world.engine.end(app0());
    await again();
    await world.pass(1);
    expect(pod()).toMatchObject({ ready: true, available: false });
  });

  it('begins anew with a container that died while no agent lived', async () => {
    await slow();
    await world.pass(601);
    expect(said()).toEqual(WELL);
    await world.restart({ meanwhile: async () => world.engine.end(app0()) });
    await again();
    await world.pass(1);
    expect(pod()).toMatchObject({ ready: true, available: false });
  });

  it('begins anew when the machine has started anew', async () => {
    await slow();
    await world.pass(601);
    expect(said()).toEqual(WELL);
    await world.restart({ bootId: 'boot-2' });
    await world.pass(5);
    expect(pod()).toMatchObject({ ready: true, available: false });
  });
});

describe('a pod whose end has begun', () => {
  const stubborn = template({
    terminationGracePeriodSeconds: 30,
    containers: [{ name: 'app', image: TEST_IMAGE, command: [...IGNORES_TERM.command] }],
  });
  const one = toldSet('web', { template: stubborn, revision: 'web-1' });
  const two = toldSet('web', {
    template: { ...stubborn, metadata: { labels: { app: 'web', version: '2' } } },
    revision: 'web-2',
  });
  const isStopping = () =>
    world.until('it is being stopped', () =>
      world.engine.calls.some((call) => call.startsWith('stop web-1')),
    );
  const sayings = () => world.report().pods.map(({ uid, terminating }) => `${uid} ${terminating}`);

  it.each<[string, () => Promise<void>, () => Promise<void>]>([
    [
      'an update that is taken back',
      () => world.tell({ daemonSets: [two] }),
      () => world.tell({ daemonSets: [one] }),
    ],
    [
      'a taint that comes and goes',
      () => world.tell({ daemonSets: [one], taints: [{ key: 'k', value: '', effect: 'NoExecute' }] }),
      () => world.tell({ daemonSets: [one] }),
    ],
  ])('by %s ends, and another takes its place', async (_what, end, undo) => {
    await world.tell({ daemonSets: [one] });
    await isAvailable();
    const old = pod()?.uid ?? '';
    await end();
    await isStopping();
    await undo();
    await world.pass(2);
    expect(sayings()).toContain(`${old} true`);
    await world.restart();
    await world.pass(2);
    expect(sayings()).toContain(`${old} true`);
    await world.until('another is available', () =>
      world.report().pods.every(({ uid, available }) => uid !== old && available),
    );
    expect(world.running()).toEqual(['web-1/app#0']);
    expect(world.report().pods).toHaveLength(1);
  });
});

describe('the generation of a report', () => {
  it('is that of what was decided on, not of what came since', async () => {
    await world.tell({ daemonSets: ['web'] });
    await isAvailable();
    const first = world.report().generation;
    world.engine.setLatency('list', 3000);
    world.engine.cutEvents();
    await world.tell({ daemonSets: ['web'], taints: [{ key: 'k', value: '', effect: 'NoExecute' }] });
    await world.pass(1);
    expect(world.report().generation).toEqual(first);
    await world.until('it is decided', () => world.report().placements[0]?.decision === 'Leave');
    expect(world.report().generation).toEqual(world.told()?.generation);
  });
});
