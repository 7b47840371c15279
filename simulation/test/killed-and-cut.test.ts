// An agent is killed while it puts on its disk what it was told, another goes on in its place, and then the power goes:
// what that one has gone by is there still. Seeds meet this too rarely.
import { expect, it, vi } from 'vitest';
import { createDice } from '../src/dice.ts';
import { labelNode } from '../src/operator.ts';
import { createWorld } from '../src/world.ts';

const { alive } = vi.hoisted(() => ({ alive: { mutant: false } }));
vi.mock('@fleetset/agent/state/durable-file', async (original) => {
  const real = await original<typeof import('@fleetset/agent/state/durable-file')>();
  const settleFolder: typeof real.settleFolder = async (...args) => {
    if (!alive.mutant) await real.settleFolder(...args);
  };
  return { ...real, settleFolder };
});

/** The law that was broken, if one was. */
async function killedAndCut(seed: number): Promise<string | undefined> {
  const world = createWorld(seed);
  const { time, trace, plane } = world;
  const go = (ms: number) => time.runUntil(time.now() + ms, () => trace.broken() !== undefined);
  plane.start();
  const machine = world.addMachine('node', {});
  await go(5000);
  machine.killAgent(createDice(seed).int(1, 12));
  world.use('label node', (objects) => labelNode(objects, 'node', { role: 'web' }));
  await go(1000);
  machine.startAgent();
  await go(5000);
  // With nobody there who would tell it all anew.
  plane.kill();
  machine.powerOff();
  await go(1000);
  machine.powerOn();
  machine.startAgent();
  await go(5000);
  world.close();
  return trace.broken()?.law;
}

async function killedAndCutOften(): Promise<Set<string>> {
  const broken = new Set<string>();
  for (let seed = 1; seed <= 100; seed++) broken.add((await killedAndCut(seed)) ?? 'none');
  return broken;
}

it('an agent never goes by something older than what one before it went by', async () => {
  expect([...(await killedAndCutOften())]).toEqual(['none']);
});

it('one that goes by what may be gone does', async () => {
  alive.mutant = true;
  expect(await killedAndCutOften()).toContain('an older generation changes nothing');
});
