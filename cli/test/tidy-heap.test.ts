// An agent that rests keeps no garbage, and collects no more often than is worth it.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { keepTidy } from '../src/tidy-heap.ts';

const MEBIBYTE = 1024 * 1024;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('what has come since the last time is collected, once', () => {
  let [live, garbage, collected] = [10 * MEBIBYTE, 0, 0];
  const end = keepTidy({
    usedBytes: () => live + garbage,
    collect: () => {
      garbage = 0;
      collected += 1;
    },
  });
  vi.advanceTimersByTime(60_000);
  expect(collected).toBe(1);
  garbage = 2 * MEBIBYTE;
  vi.advanceTimersByTime(60_000);
  expect([collected, garbage]).toEqual([2, 0]);
  // Little: not worth it.
  garbage = MEBIBYTE / 2;
  vi.advanceTimersByTime(600_000);
  expect(collected).toBe(2);
  // What is in use is found out once, not each time.
  live += 5 * MEBIBYTE;
  vi.advanceTimersByTime(600_000);
  expect(collected).toBe(3);
  end();
  garbage = 100 * MEBIBYTE;
  vi.advanceTimersByTime(600_000);
  expect(collected).toBe(3);
});
