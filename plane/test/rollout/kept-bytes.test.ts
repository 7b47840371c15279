// What the plane keeps for months is no larger than it is: no small text holds a slab that Node cut it from.
import { NodeDesired } from '@fleetset/proto/gen/fleetset/v1/node';
import { expect, test } from 'vitest';
import { createBodyBook } from '../../src/rollout/body-book.ts';
import { desiredContent } from '../../src/rollout/desired-state.ts';

const heldBy = (kept: Buffer | undefined) => [kept?.length, kept?.buffer.byteLength];

test('a body holds its own bytes, and says what it said', () => {
  const bodies = createBodyBook();
  const value = { text: 'grüße' };
  const content = bodies.content(bodies.hashOf(value));
  expect(content?.toString()).toBe(JSON.stringify(value));
  expect(heldBy(content)).toEqual([18, 18]);
});

test('what a node was told holds its own bytes', () => {
  const told = NodeDesired.create({ labels: { zone: 'a' } });
  const content = desiredContent(told);
  expect(NodeDesired.decode(content)).toEqual(told);
  expect(content.length).toBeGreaterThan(0);
  expect(heldBy(content)).toEqual([content.length, content.length]);
});
