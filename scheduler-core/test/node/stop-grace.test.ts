// Proves what hooks and waiting leave of a grace (rule 104).
import { graceLeft } from '@fleetset/scheduler-core/node/stop-grace';
import { expect, test } from 'vitest';

test.each<[string, number, number[], number]>([
  ['nothing was spent', 30, [0, 0], 30],
  ['whole seconds are taken away', 30, [4999, 2000], 24],
  ['at least two seconds are left', 30, [29_500, 1000], 2],
  ['also of one second', 1, [0], 2],
  ['none stays none', 0, [5000], 0],
])('%s', (_what, grace, spent, left) => {
  expect(graceLeft(grace, ...spent)).toBe(left);
});
