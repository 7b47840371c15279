// What is known of the engine does for a look, and is confirmed soon.
import type { NodeAction } from '@fleetset/scheduler-core/node/node-action';
import { beforeEach, expect, it } from 'vitest';
import { createLooks, type Looks } from '../../src/node/looks.ts';

let asked = 0;
let isKnown: boolean;
let now: number;
let busy: Map<string, NodeAction['kind']>;
let looks: Looks;
beforeEach(() => {
  asked = 0;
  now = 0;
  isKnown = true;
  busy = new Map();
  looks = createLooks(
    {
      look: async () => {
        asked += 1;
        return { containers: [], goneAt: undefined };
      },
      known: async () => (isKnown ? [] : undefined),
    },
    () => busy,
    () => now,
  );
});
/** When it is to be confirmed; 'asked' if the engine was. */
const next = async () => {
  const before = asked;
  const { confirmInMs } = await looks.next();
  expect(confirmInMs === undefined).toBe(asked > before);
  return confirmInMs ?? 'asked';
};

it('is a list when there is nothing new', async () => {
  expect([await next(), await next()]).toEqual(['asked', 'asked']);
});

it('is without one when something is new and all is known', async () => {
  looks.news();
  expect([await next(), await next()]).toEqual([1000, 'asked']);
});

it('is a list when not all is known', async () => {
  isKnown = false;
  looks.news();
  expect(await next()).toBe('asked');
});

it('is confirmed at last, however much is new', async () => {
  const seen = [];
  for (; now <= 2000; now += 400) {
    looks.news();
    seen.push(await next());
  }
  expect(seen).toEqual([1000, 600, 200, 'asked', 1000, 600]);
});

it('what was under way when it began, and what began since, counts as under way until the next', async () => {
  busy.set('old', 'stop');
  await looks.next();
  busy.delete('old');
  looks.begun({ kind: 'bear', daemonSetUid: 'set', reason: '' });
  expect([...looks.underWay().keys()]).toEqual(['old', 'set']);
  busy.set('set', 'bear');
  looks.news();
  await looks.next();
  expect([...looks.underWay().keys()]).toEqual(['set']);
});
