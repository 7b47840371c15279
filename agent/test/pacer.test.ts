// What is done now and then never waits; what is done without end takes its share of the time.
import { expect, it } from 'vitest';
import { createPacer } from '../src/pacer.ts';

const PARTS = { share: 1 / 4, creditMs: 100, mostRestMs: 300 };

it.each<[string, readonly (readonly [beganAt: number, tookMs: number])[], readonly number[]]>([
  ['what is short', [[0, 10]], [0]],
  [
    'a few that are short, one after the other',
    [
      [0, 10],
      [10, 10],
      [20, 10],
    ],
    [0, 0, 0],
  ],
  [
    'what comes again and again',
    [
      [0, 20],
      [20, 20],
      [60, 20],
    ],
    [0, 20, 60],
  ],
  ['what takes long at once', [[0, 50]], [50]],
  ['what takes too long for any rest', [[0, 1000]], [300]],
  [
    'what comes after the rest that it had at most',
    [
      [0, 1000],
      [1300, 20],
    ],
    [300, 60],
  ],
  [
    'what comes after a while',
    [
      [0, 1000],
      [9000, 20],
    ],
    [300, 0],
  ],
])('%s', (_what, all, rests) => {
  const rest = createPacer(PARTS);
  expect(all.map(([beganAt, tookMs]) => rest(beganAt, beganAt + tookMs))).toEqual(rests);
});

it('comes to its share in the long run', () => {
  const rest = createPacer(PARTS);
  let now = 0;
  let worked = 0;
  for (let round = 0; round < 1000; round++) {
    const tookMs = 1 + (round % 30);
    worked += tookMs;
    now += tookMs + rest(now, now + tookMs);
  }
  expect(worked / now).toBeCloseTo(PARTS.share, 2);
});
