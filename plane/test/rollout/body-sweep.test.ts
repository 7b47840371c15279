// Bodies that no node was told of do not pile up, and what nodes were told of stays.
import { expect, test, vi } from 'vitest';
import { createFleet } from '../../src/fleet/fleet.ts';
import { createBodyBook } from '../../src/rollout/body-book.ts';
import { createBodySweep } from '../../src/rollout/tell-node.ts';

const told = (bodies: readonly string[]) => ({
  told: { generation: { epoch: 1, counter: 1 }, content: undefined, bodies },
});

test('however many come, those that nobody needs are dropped and the others stay', () => {
  const bodies = createBodyBook();
  const fleet = createFleet(() => 0);
  const sweep = createBodySweep(bodies, fleet);
  const wanted: string[] = [];
  for (let made = 0; made < 5000; made++) {
    const hash = bodies.hashOf({ made });
    if (made % 10 === 0) wanted.push(hash);
    fleet.change('a', told(wanted));
    sweep();
    expect(bodies.size()).toBeLessThanOrEqual(Math.max(256, 2 * wanted.length + 1));
  }
  for (const hash of wanted) expect(bodies.content(hash)).toBeDefined();
});

test('the nodes are not gone over after every pass, though there are many bodies', () => {
  const bodies = createBodyBook();
  const fleet = createFleet(() => 0);
  const all = vi.spyOn(fleet, 'all');
  const sweep = createBodySweep(bodies, fleet);
  const wanted = Array.from({ length: 1000 }, (_, made) => bodies.hashOf({ made }));
  fleet.change('a', told(wanted));
  for (let pass = 0; pass < 100; pass++) sweep();
  expect(all).toHaveBeenCalledOnce();
});
