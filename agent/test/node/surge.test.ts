// A node under a surge, with real probes on the fake engine: the old pod goes when the new one is known to be
// available, and never before (rules 41, 42 and 18).
import type { Container } from '@fleetset/scheduler-core/schema/container';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { template, toldSet } from '../desired.ts';
import { fakeClock, type NodeWorld, openNodeWorld } from '../node-world.ts';
import { TEST_IMAGE } from '../pods.ts';
import {
  EXITS_WITH_3,
  IGNORES_TERM,
  OBEYS,
  type Program,
  SAYS_AND_FAILS,
  SUCCEEDS_SILENTLY,
} from '../test-programs.ts';

let world: NodeWorld;
beforeEach(async () => {
  fakeClock();
  world = await openNodeWorld();
});
afterEach(() => {
  vi.useRealTimers();
});

interface Web {
  readonly program?: Program;
  /** What the readiness probe runs; absent: no probe. */
  readonly probe?: Program;
  readonly minReadySeconds?: number;
  readonly surge?: boolean;
}
const web = (revision: string, { program = OBEYS, probe, minReadySeconds = 0, surge = true }: Web = {}) => {
  const app: Container = {
    name: 'app',
    image: TEST_IMAGE,
    command: [...program.command],
    ...(probe
      ? { readinessProbe: { exec: { command: [...probe.command] }, periodSeconds: 2, timeoutSeconds: 30 } }
      : {}),
  };
  const whole = template({ containers: [app], priorityClassName: revision });
  return toldSet('web', { revision, template: whole, surge, minReadySeconds });
};
const tell = (...sets: readonly ReturnType<typeof web>[]) => world.tell({ daemonSets: sets });
const runs = (...titles: string[]) =>
  world.until(`${titles} run`, () => String(world.running()) === String(titles));
const stops = () => world.engine.calls.filter((call) => call.startsWith('stop'));
const available = () =>
  world
    .report()
    .pods.filter((pod) => pod.available)
    .map(({ revision }) => revision);

async function begun(options: Web = {}): Promise<void> {
  await tell(web('web-1', options));
  await world.until('it is available', () => String(available()) === 'web-1');
  world.engine.calls.length = 0;
}

describe('an update', () => {
  it('starts the new pod first, and stops the old one when the new one is ready', async () => {
    await begun({ probe: SUCCEEDS_SILENTLY });
    world.engine.setLatency('exec', 3000);
    await tell(web('web-2', { probe: SUCCEEDS_SILENTLY }));
    await runs('web-1/app#0', 'web-2/app#0');
    await world.pass(2);
    expect(stops()).toEqual([]);
    await runs('web-2/app#0');
    await world.until('the old one is gone', () => world.report().pods.length === 1);
    expect(world.engine.calls).toEqual([
      'create web-2/app#0',
      'start web-2/app#0',
      'stop web-1/app#0 grace 30',
      'remove web-1/app#0',
    ]);
  });

  it('needs no probe: what runs is ready, and is seen to be so at once, also when the engine does not tell of it', async () => {
    await begun();
    world.engine.cutEvents();
    await tell(web('web-2'));
    await world.pass(2);
    expect(world.running()).toEqual(['web-2/app#0']);
    expect(world.engine.calls.slice(0, 3)).toEqual([
      'create web-2/app#0',
      'start web-2/app#0',
      'stop web-1/app#0 grace 30',
    ]);
  });

  it('rule 41: waits until the new one has been ready for minReadySeconds', async () => {
    await begun({ minReadySeconds: 60 });
    await tell(web('web-2', { minReadySeconds: 60 }));
    await runs('web-1/app#0', 'web-2/app#0');
    await world.pass(55);
    expect(stops()).toEqual([]);
    await world.pass(10);
    expect(world.running()).toEqual(['web-2/app#0']);
  });

  it('that never comes up leaves the old pod as it is, and its undo touches it not once', async () => {
    await begun();
    const old = world.container('web-1/app#0').id;
    await tell(web('web-2', { program: EXITS_WITH_3 }));
    await world.until('it crashes again and again', () =>
      /CrashLoopBackOff/.test(String(world.report().pods.map(({ statusJson }) => statusJson))),
    );
    await world.pass(120);
    expect(available()).toEqual(['web-1']);
    await tell(web('web-1'));
    await world.until('the new one is gone', () => world.report().pods.length === 1);
    expect(world.container('web-1/app#0')).toMatchObject({ id: old, state: 'running' });
    expect(stops()).toEqual([]);
  });

  it('rule 42: replaces an old pod that is not ready as soon as both are there', async () => {
    await tell(web('web-1', { probe: SAYS_AND_FAILS }));
    await runs('web-1/app#0');
    await world.pass(3);
    await tell(web('web-2', { probe: SAYS_AND_FAILS }));
    await runs('web-2/app#0');
    expect(available()).toEqual([]);
  });
});

describe('what the agent does not know yet', () => {
  it('after a restart in the middle stops nothing, however long the probes take', async () => {
    await begun({ probe: SUCCEEDS_SILENTLY });
    world.engine.setLatency('exec', 8000);
    await tell(web('web-2', { probe: SUCCEEDS_SILENTLY }));
    await runs('web-1/app#0', 'web-2/app#0');
    await world.restart();
    await world.pass(6);
    expect(stops()).toEqual([]);
    expect(world.running()).toEqual(['web-1/app#0', 'web-2/app#0']);
    await runs('web-2/app#0');
  });

  it('is what the time of being ready was: it counts on over the restart', async () => {
    await begun({ minReadySeconds: 60 });
    await tell(web('web-2', { minReadySeconds: 60 }));
    await runs('web-1/app#0', 'web-2/app#0');
    await world.pass(40);
    await world.restart();
    await world.pass(15);
    expect(world.running()).toEqual(['web-1/app#0', 'web-2/app#0']);
    await world.pass(10);
    expect(world.running()).toEqual(['web-2/app#0']);
  });
});

it('rule 18: a pod that takes long to end does not keep the next one waiting', async () => {
  await begun({ program: IGNORES_TERM });
  const uid = world.report().pods[0]?.uid ?? '';
  await world.tell({ daemonSets: [web('web-1', { program: IGNORES_TERM })], tombstones: [{ podUid: uid }] });
  await runs('web-1/app#0', 'web-1/app#0');
  await runs('web-1/app#0');
});

describe('switched in the middle', () => {
  it('on: what was only prepared starts beside the old pod', async () => {
    await begun({ program: IGNORES_TERM, surge: false });
    world.engine.setLatency('create', 5000);
    await tell(web('web-2', { surge: false, program: IGNORES_TERM }));
    await world.pass(2);
    await tell(web('web-2', { program: IGNORES_TERM }));
    await runs('web-1/app#0', 'web-2/app#0');
    await runs('web-2/app#0');
  });

  it('off: the old pod goes at once, and the new one runs on', async () => {
    await begun({ probe: SUCCEEDS_SILENTLY });
    world.engine.setLatency('exec', 60_000);
    await tell(web('web-2', { probe: SUCCEEDS_SILENTLY }));
    await runs('web-1/app#0', 'web-2/app#0');
    const { id } = world.container('web-2/app#0');
    await tell(web('web-2', { probe: SUCCEEDS_SILENTLY, surge: false }));
    await runs('web-2/app#0');
    expect(world.container('web-2/app#0').id).toBe(id);
  });
});
