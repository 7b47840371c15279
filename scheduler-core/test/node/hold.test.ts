// How long a hold lasts, by which clock, and what is none.
import { type Hold, holdLeftMs, holdProblem, holdText } from '@fleetset/scheduler-core/node/hold';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { holds, isCaught } from '../property.ts';

const HOUR = 3_600_000;
const hold: Hold = {
  owner: 'ann',
  reason: 'its disk is replaced',
  forMs: 2 * HOUR,
  setAt: 1_000 * HOUR,
  machine: { bootId: 'boot-1', upMs: 10 * HOUR },
};
const { machine: _machine, ...unstamped } = hold;
const now = (wallHours: number, bootId: string, upHours: number) => ({
  wallMs: wallHours * HOUR,
  machine: { bootId, upMs: upHours * HOUR },
});

describe('what is left of two hours', () => {
  it.each<[string, Hold, ReturnType<typeof now>, number]>([
    ['all of it when it is set', hold, now(1000, 'boot-1', 10), 2],
    ['half of it an hour later', hold, now(1001, 'boot-1', 11), 1],
    ['nothing after two', hold, now(1002, 'boot-1', 12), 0],
    ['whatever somebody makes of the wall clock: back', hold, now(0, 'boot-1', 11), 1],
    ['and on', hold, now(9000, 'boot-1', 11), 1],
    ['after a reboot by the wall clock', hold, now(1001, 'boot-2', 0.1), 1],
    ['which was wrong: never longer than since that start', hold, now(0, 'boot-2', 0.5), 1.5],
    ['until it is over by that', hold, now(0, 'boot-2', 2), 0],
    ['by the wall clock alone where no other was told', unstamped, now(1001.5, 'boot-1', 10), 0.5],
    ['which says that it is to come: not longer', unstamped, now(900, 'boot-1', 10), 2],
  ])('%s', (_what, one, when, hours) => {
    expect(holdLeftMs(one, when)).toBeCloseTo(hours * HOUR, 3);
  });
});

describe('in one life of the machine', () => {
  const neverLonger = (left: typeof holdLeftMs) =>
    fc.property(fc.nat(10 * HOUR), fc.integer(), (passedMs, wallMs) => {
      const upMs = 10 * HOUR + passedMs;
      const leftMs = left(hold, { wallMs, machine: { bootId: 'boot-1', upMs } });
      expect(leftMs).toBe(Math.max(0, 2 * HOUR - passedMs));
    });
  test('it lasts as long as was asked, whatever the wall clock says', () => {
    holds(neverLonger(holdLeftMs), 200);
  });
  test('a mutant that goes by the wall clock is caught', () => {
    isCaught(
      neverLonger((_one, when) => holdLeftMs(unstamped, when)),
      200,
    );
  });
});

it.each<[string, Partial<Hold>, string | undefined]>([
  ['a good one', {}, undefined],
  ['nobody', { owner: ' ' }, 'owner is missing'],
  ['no reason', { reason: '' }, 'reason is missing'],
  ['a long name', { owner: 'a'.repeat(64) }, 'owner is longer than 63 characters'],
  ['several lines', { reason: 'a\nb' }, 'reason has characters that cannot be shown in a line'],
  ['no time', { forMs: 0 }, 'for must be more than 0 and at most 168h'],
  ['a week', { forMs: 168 * HOUR }, undefined],
  ['more than a week', { forMs: 169 * HOUR }, 'for must be more than 0 and at most 168h'],
])('%s: %s', (_what, change, problem) => {
  expect(holdProblem({ ...hold, ...change })).toBe(problem);
});

it('all who hold are named', () => {
  expect(holdText([])).toBeUndefined();
  expect(
    holdText([
      { owner: 'ann', reason: 'its disk is replaced', until: '12:00' },
      { owner: 'bob', reason: 'it is looked at', until: '13:00' },
    ]),
  ).toBe('held by ann until 12:00: its disk is replaced; held by bob until 13:00: it is looked at');
});
