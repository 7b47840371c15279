// A look that a pod was born of serves once more, unless something may have changed on the engine since it began.
import type { NodeAction } from '@fleetset/scheduler-core/node/node-action';
import { beforeEach, expect, it } from 'vitest';
import { createLooks, type Looks } from '../../src/node/looks.ts';

let asked = 0;
let busy: Map<string, NodeAction['kind']>;
let looks: Looks;
let onAsked: () => void;
beforeEach(() => {
  asked = 0;
  busy = new Map();
  onAsked = () => {};
  looks = createLooks(
    {
      look: async () => {
        asked += 1;
        onAsked();
        return { containers: [], goneAt: undefined };
      },
    },
    () => busy,
  );
});
/** Whether the next one is the one before. */
const again = async () => {
  const before = asked;
  await looks.next();
  return asked === before;
};

it('is another one each time', async () => {
  expect([await again(), await again(), asked]).toEqual([false, false, 2]);
});

it('serves once more when it is kept', async () => {
  await looks.next();
  looks.keep();
  expect([await again(), asked]).toEqual([true, 1]);
  expect([await again(), asked]).toEqual([false, 2]);
});

it('serves as long as births follow each other', async () => {
  await looks.next();
  for (let birth = 0; birth < 3; birth++) {
    looks.keep();
    expect(await again()).toBe(true);
  }
  expect(asked).toBe(1);
});

it.each<[string, () => Promise<unknown>]>([
  [
    'while the engine was asked',
    async () => {
      onAsked = looks.news;
      await looks.next();
      looks.keep();
    },
  ],
  [
    'before it is kept',
    async () => {
      await looks.next();
      looks.news();
      looks.keep();
    },
  ],
  [
    'after it is kept',
    async () => {
      await looks.next();
      looks.keep();
      looks.news();
    },
  ],
])('is another one when there were news %s', async (_when, keep) => {
  await keep();
  expect([await again(), asked]).toEqual([false, 2]);
});

it('one that failed is not kept', async () => {
  await looks.next();
  onAsked = () => {
    throw new Error('it is down');
  };
  await expect(looks.next()).rejects.toThrow('it is down');
  looks.keep();
  onAsked = () => {};
  expect([await again(), asked]).toEqual([false, 3]);
});

it('what was under way when it began, and what began since, counts as under way as long as it serves', async () => {
  busy.set('old', 'stop');
  await looks.next();
  busy.delete('old');
  looks.begun({ kind: 'bear', daemonSetUid: 'set', reason: '' });
  looks.keep();
  await looks.next();
  expect([...looks.underWay().keys()]).toEqual(['old', 'set']);
  await looks.next();
  expect([...looks.underWay().keys()]).toEqual([]);
});
