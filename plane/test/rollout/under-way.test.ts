// Which of the nodes on their way is named: one that the rollout waits for.
import type { RolloutNode } from '@fleetset/scheduler-core/rollout/rollout-node';
import { expect, it, onTestFinished } from 'vitest';
import { createFleet } from '../../src/fleet/fleet.ts';
import { underWay } from '../../src/rollout/under-way.ts';
import { storeFile } from '../support/store.ts';

const onItsWay = (name: string, lost = false): RolloutNode => ({
  name,
  decision: 'Run',
  connected: false,
  lost,
  granted: 'new',
});

it.each([
  ['nobody waits for one that was broken before', ['a'], [], 'b', 2],
  ['unless there is no other', ['a', 'b', 'c'], [], 'a', 2],
  ['one that is set aside is not on its way', [], ['a'], 'b', 1],
])('%s', (_what, broken: string[], aside: string[], node, others) => {
  const nodes = ['a', 'b', 'c'].map((name) => onItsWay(name, aside.includes(name)));
  const store = storeFile().open();
  onTestFinished(() => store.close());
  const found = underWay({
    store,
    fleet: createFleet(() => 0),
    daemonSetUid: 'uid',
    nodes,
    target: 'new',
    aside: new Set(aside),
    broken,
  });
  expect(found).toMatchObject({ node, others });
});
