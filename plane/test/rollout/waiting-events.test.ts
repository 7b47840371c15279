// What a rollout waits for, as events of the DaemonSet: what `kubectl describe` shows of it. Few: only of what stands
// still, and the same again seldom.
import type { WaitingFor } from '@fleetset/scheduler-core/rollout/waiting-for';
import { expect, it, onTestFinished, vi } from 'vitest';
import { AGAIN_MS, createWaitingTeller, STILL_MS } from '../../src/rollout/waiting-teller.ts';
import type { Json } from '../support/api-client.ts';
import { startLoopWorld } from '../support/loop-world.ts';
import { until } from '../support/until.ts';

function world() {
  let now = 0;
  let waiting: WaitingFor | undefined;
  const told: string[] = [];
  const teller = createWaitingTeller(() => now);
  const look = () => teller.look('uid', waiting, (message) => told.push(`${now / 1000} s: ${message}`));
  return {
    told,
    teller,
    look,
    /** Looked at every second. */
    waits: (what: string | undefined, ms: number, progressAt = 0) => {
      waiting = what === undefined ? undefined : { what, progressAt, message: what };
      for (const end = now + ms; now < end; now += 1000) look();
    },
  };
}

it('what stands still is told, and seldom again', () => {
  const { told, waits } = world();
  waits('a', 2 * AGAIN_MS);
  expect(told).toEqual(['30 s: a', '330 s: a']);
});

it('something else is told as soon as that stands still', () => {
  const { told, waits } = world();
  waits('a', 60_000);
  waits('b', 60_000);
  expect(told).toEqual(['30 s: a', '90 s: b']);
});

it('what goes on is not told: other reasons, or nodes that come nearer', () => {
  const { told, waits } = world();
  for (let turn = 0; turn < 20; turn++) waits(turn % 2 ? 'a' : 'b', STILL_MS);
  for (let turn = 0; turn < 20; turn++) waits('a', STILL_MS, turn + 1);
  waits(undefined, 10 * STILL_MS);
  expect(told).toEqual([]);
});

it('it asks to be looked at when it would tell, and not when nothing waits', () => {
  const { look, waits } = world();
  expect(look()).toBeUndefined();
  waits('a', 1000);
  expect(look()).toBe(STILL_MS);
  waits('a', STILL_MS);
  expect(look()).toBe(STILL_MS + AGAIN_MS);
});

it('the loop wakes for it by itself, and the event names node and reason', async () => {
  const { store, failures, pass, stop } = await startLoopWorld();
  onTestFinished(stop);
  const events = () =>
    [...store.list('core/events')]
      .map(({ value }) => value as Json)
      .filter((one) => one.reason === 'RolloutWaiting');
  await until('it waits', () => vi.getTimerCount() === 1);
  expect(events()).toEqual([]);
  pass(STILL_MS);
  const [event] = await until('it is told', () => events().length > 0 && events());
  expect(event).toMatchObject({
    type: 'Normal',
    message: expect.stringMatching(/^nodes move to revision \w+; silent: the agent is not connected$/),
    involvedObject: { kind: 'DaemonSet', name: 'web', uid: 'uid-web' },
    count: 1,
  });
  expect(failures).toEqual([]);
});
