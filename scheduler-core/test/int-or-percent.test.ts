// Proves what "maxUnavailable" may be and how many nodes it means (rules 31 and 69).
import { isIntOrPercent, scaledCount } from '@fleetset/scheduler-core/int-or-percent';
import { describe, expect, test } from 'vitest';

describe('rule 69: allowed', () => {
  test.each([0, 1, 1000, '0%', '1%', '100%', '007%'])('%j', (value) => {
    expect(isIntOrPercent(value)).toBe(true);
  });
});

describe('rule 69: refused', () => {
  test.each([-1, 1.5, '1', '101%', '-1%', '1.5%', '%', '', '1%%', ' 1%', '1 %', '1e1%'])('%j', (value) => {
    expect(isIntOrPercent(value)).toBe(false);
  });
});

describe('rule 31: of a fleet', () => {
  test.each<[number | string | undefined, number, number]>([
    [3, 10, 3],
    [30, 10, 30],
    [0, 10, 0],
    ['10%', 10, 1],
    ['10%', 11, 2],
    ['1%', 1, 1],
    ['1%', 0, 0],
    ['0%', 1000, 0],
    ['29%', 100, 29],
    ['7%', 100, 7],
    ['100%', 7, 7],
    ['33%', 3, 1],
    ['34%', 3, 2],
    [undefined, 10, 0],
    ['many', 10, 0],
  ])('%j of %d nodes is %d', (value, total, count) => {
    expect(scaledCount(value, total)).toBe(count);
  });
});
