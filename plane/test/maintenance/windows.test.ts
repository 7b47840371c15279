// When maintenance windows are open: cron and a duration, in a node's own time zone, on days with 23 and 25 hours too.
import { type Window, windowOf } from '@fleetset/scheduler-core/rollout/pacing';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { scheduleProblem } from '../../src/maintenance/cron-schedule.ts';
import { closureAt, type NodeMaintenance, nodeMaintenance } from '../../src/maintenance/node-maintenance.ts';
import { validateWindows } from '../../src/maintenance/validate-windows.ts';
import { type WindowState, windowState } from '../../src/maintenance/window-state.ts';
import { runs } from '../support/fixed-seed.ts';

const at = (text: string): number => Date.parse(text);
const windows = (...texts: readonly string[]): Window[] =>
  texts.map((text) => {
    const [schedule = '', duration = '', timeZone] = text.split(', ');
    return windowOf({ schedule, duration, ...(timeZone ? { timeZone } : {}) });
  });
const said = ({ open, changesAt }: WindowState): string =>
  `${open ? 'open' : 'closed'} until ${changesAt === undefined ? 'ever' : new Date(changesAt).toISOString().slice(0, 16)}`;

describe('windows', () => {
  const NIGHT = '0 2 * * 6, 4h';
  it.each<[string, string[], string, string, string]>([
    ['closed before it opens', [NIGHT], 'UTC', '2026-11-28T01:59:59Z', 'closed until 2026-11-28T02:00'],
    ['open from its first instant', [NIGHT], 'UTC', '2026-11-28T02:00:00Z', 'open until 2026-11-28T06:00'],
    ['open to its last', [NIGHT], 'UTC', '2026-11-28T05:59:59Z', 'open until 2026-11-28T06:00'],
    ['then closed for a week', [NIGHT], 'UTC', '2026-11-28T06:00:00Z', 'closed until 2026-12-05T02:00'],
    [
      'in the zone of the node',
      [NIGHT],
      'Europe/Berlin',
      '2026-11-28T01:00:00Z',
      'open until 2026-11-28T05:00',
    ],
    [
      'or in its own',
      ['0 2 * * 6, 4h, UTC'],
      'Europe/Berlin',
      '2026-11-28T01:00:00Z',
      'closed until 2026-11-28T02:00',
    ],
    ['over midnight', ['0 22 * * *, 4h'], 'UTC', '2026-11-28T01:00:00Z', 'open until 2026-11-28T02:00'],
    [
      'longer than its period: always open',
      ['0 2 * * *, 30h'],
      'UTC',
      '2026-11-28T01:59:00Z',
      'open until 2026-11-28T08:00',
    ],
    [
      'of two the first to open',
      [NIGHT, '0 2 * * 2, 1h'],
      'UTC',
      '2026-11-28T06:00:00Z',
      'closed until 2026-12-01T02:00',
    ],
    [
      'of two that are open the last to close',
      ['0 2 * * *, 4h', '0 3 * * *, 1h'],
      'UTC',
      '2026-11-28T03:30:00Z',
      'open until 2026-11-28T06:00',
    ],
    ['none at all never opens', [], 'UTC', '2026-11-28T02:00:00Z', 'closed until ever'],
    // Europe/Berlin: 2026-03-29 has no 02:00 to 03:00, 2026-10-25 has it twice.
    [
      'a night without that hour: it opens when the clock is put on',
      ['30 2 * * *, 1h'],
      'Europe/Berlin',
      '2026-03-29T00:59:59Z',
      'closed until 2026-03-29T01:00',
    ],
    [
      'and is as long as on other nights',
      ['30 2 * * *, 1h'],
      'Europe/Berlin',
      '2026-03-29T01:00:00Z',
      'open until 2026-03-29T02:00',
    ],
    [
      'a night with that hour twice: it opens the first time',
      ['30 2 * * *, 1h'],
      'Europe/Berlin',
      '2026-10-25T00:30:00Z',
      'open until 2026-10-25T01:30',
    ],
    [
      'and not again',
      ['30 2 * * *, 30m'],
      'Europe/Berlin',
      '2026-10-25T01:30:00Z',
      'closed until 2026-10-26T01:30',
    ],
    [
      'a window around the change has its length in hours that pass',
      ['0 1 * * *, 3h'],
      'Europe/Berlin',
      '2026-03-29T02:59:59Z',
      'open until 2026-03-29T03:00',
    ],
  ])('%s', (_what, texts, zone, instant, expected) => {
    expect(said(windowState(windows(...texts), zone, at(instant)))).toBe(expected);
  });

  /** Minute by minute, from the clock on the wall of a zone whose days are all alike. */
  const isOpen = ({ minute, hour, day }: Daily, durationMin: number, offsetMin: number, instant: number) => {
    for (let back = 0; back < durationMin; back++) {
      const there = new Date(instant + (offsetMin - back) * 60_000);
      const matches =
        there.getUTCMinutes() === minute &&
        there.getUTCHours() === hour &&
        (day === '*' || there.getUTCDay() === day);
      if (matches) return true;
    }
    return false;
  };
  const someDaily = fc.record({
    minute: fc.integer({ min: 0, max: 59 }),
    hour: fc.integer({ min: 0, max: 23 }),
    day: fc.constantFrom('*' as const, 0, 3, 6),
  });
  type Daily = typeof someDaily extends fc.Arbitrary<infer D> ? D : never;
  const agrees = (state: typeof windowState) =>
    fc.property(
      fc.array(fc.tuple(someDaily, fc.integer({ min: 1, max: 3000 })), { minLength: 1, maxLength: 3 }),
      fc.constantFrom(['UTC', 0] as const, ['Asia/Kolkata', 330] as const, ['Etc/GMT+5', -300] as const),
      fc.integer({ min: 0, max: 20_000 }),
      (some, [zone, offset], minutes) => {
        const instant = at('2026-11-01T00:00:00Z') + minutes * 60_000;
        const given = windows(
          ...some.map(([one, length]) => `${one.minute} ${one.hour} * * ${one.day}, ${length}m`),
        );
        const openAt = (when: number) => some.some(([one, length]) => isOpen(one, length, offset, when));
        const { open, changesAt } = state(given, zone, instant);
        expect(open).toBe(openAt(instant));
        if (changesAt === undefined) throw new Error('it changes some time');
        expect(changesAt).toBeGreaterThan(instant);
        // It is as it is at least until then; a closed one is open then.
        expect(openAt(changesAt - 60_000)).toBe(open);
        if (!open) expect(openAt(changesAt)).toBe(true);
      },
    );
  test('are open when the clock on the wall says so, whatever overlaps', () => {
    fc.assert(agrees(windowState), runs(150));
  });
  test('a mutant that takes the first window alone is caught', () => {
    const first: typeof windowState = (given, ...rest) => windowState(given.slice(0, 1), ...rest);
    expect(fc.check(agrees(first), runs(150)).failed).toBe(true);
  });
});

describe('schedules', () => {
  it.each(['0 2 * * 6', '*/15 0-6 1,15 * mon-fri', '@daily', '5/15 * ? * *', '0  2  * JAN SUN'])(
    '%s is one',
    (text) => {
      expect(scheduleProblem(text)).toBeUndefined();
    },
  );
  it.each<[string, RegExp]>([
    ['0 2 * *', /five fields/],
    ['0 0 2 * * 6', /five fields/],
    ['60 2 * * *', /the minute is out of range/],
    ['0 22-2 * * *', /22-2/],
    ['0 0 30 2 *', /never comes/],
    ['@reboot', /five fields/],
    ['@every 1h', /five fields/],
    ['2026-01-01T00:00:00', /five fields/],
    ['0 0 L * *', /five fields/],
    ['TZ=UTC 0 2 * * *', /five fields/],
    ['tonight', /five fields/],
  ])('%s is none', (text, why) => {
    expect(scheduleProblem(text)).toMatch(why);
  });
});

it('every error of every window is told, with its path', () => {
  const errors = validateWindows('spec.maintenanceWindows', [
    { schedule: '', duration: '' },
    { schedule: '0 25 * * *', duration: '0', timeZone: 'Mars/Base', nodeSelector: { 'a b': 'c' } },
    { schedule: '@daily', duration: 'four hours', timeZone: '+02:00' },
    { schedule: '@daily', duration: '9000h', timeZone: '' },
    { schedule: '0 2 * * 6', duration: '4h', timeZone: 'Etc/GMT+5', nodeSelector: { site: 'lab' } },
  ]);
  expect(
    errors.map(({ field, reason }) => `${field.replace('spec.maintenanceWindows', '')} ${reason}`),
  ).toEqual([
    '[0].schedule FieldValueRequired',
    '[0].duration FieldValueRequired',
    '[1].schedule FieldValueInvalid',
    '[1].duration FieldValueInvalid',
    '[1].timeZone FieldValueInvalid',
    '[1].nodeSelector FieldValueInvalid',
    '[2].duration FieldValueInvalid',
    '[2].timeZone FieldValueInvalid',
    '[3].duration FieldValueInvalid',
    '[3].timeZone FieldValueInvalid',
  ]);
});

describe('a node', () => {
  const SATURDAY = at('2026-11-28T01:30:00Z');
  const closedWhy = (
    labels: { readonly [label: string]: string },
    own: NodeMaintenance | undefined,
    policy = windows('0 2 * * 6, 4h'),
  ) => closureAt(policy, SATURDAY)(labels, own).reason;
  const says = (timeZone: string, ...own: { schedule: string; duration: string; timeZone: string }[]) =>
    nodeMaintenance({ timeZone, ownWindows: own.length > 0 ? { windows: own } : undefined });

  it('goes by its label, else by its machine, else by UTC; and is told so in its own time', () => {
    expect(closedWhy({}, undefined)).toBe('its maintenance window opens on Sat 2026-11-28 02:00 (UTC)');
    expect(closedWhy({}, says('Europe/Berlin'))).toBeUndefined();
    expect(closedWhy({ 'fleetset.dev/time-zone': 'America.New_York' }, says('Europe/Berlin'))).toBe(
      'its maintenance window opens on Sat 2026-11-28 02:00 (America/New_York)',
    );
    expect(closedWhy({ 'fleetset.dev/time-zone': 'Etc.GMT_plus_5' }, undefined)).toContain(
      '02:00 (Etc/GMT+5)',
    );
    // The window's own zone says when; the node's says how it is told.
    expect(closedWhy({}, says('Asia/Kolkata'), windows('0 2 * * 6, 4h, UTC'))).toBe(
      'its maintenance window opens on Sat 2026-11-28 07:30 (Asia/Kolkata)',
    );
  });

  it('whose zone nobody knows is closed, and told so', () => {
    expect(closedWhy({ 'fleetset.dev/time-zone': 'Mars.Base' }, undefined)).toContain(
      'Mars/Base of its label is not known',
    );
  });

  it('that windows are not for is free, and so is every node without windows', () => {
    const [night] = windows('0 2 * * 6, 4h');
    const lab = [{ ...(night as Window), nodeSelector: { site: 'lab' } }];
    expect(closedWhy({}, undefined, lab)).toBeUndefined();
    expect(closedWhy({ site: 'lab' }, undefined, lab)).toMatch(/opens on/);
    expect(closedWhy({}, undefined, [])).toBeUndefined();
  });

  it('with windows of its own goes by them alone, and by none when it says that there are none', () => {
    const own = says('UTC', { schedule: '0 1 * * *', duration: '1h', timeZone: '' });
    expect(closedWhy({}, own)).toBeUndefined();
    expect(closedWhy({}, own, [])).toBeUndefined();
    const noon = says('UTC', { schedule: '0 12 * * *', duration: '1h', timeZone: '' });
    expect(closedWhy({}, noon, [])).toMatch(/2026-11-28 12:00/);
    expect(closedWhy({}, nodeMaintenance({ timeZone: 'UTC', ownWindows: { windows: [] } }))).toBeUndefined();
    const broken = says('UTC', { schedule: 'tonight', duration: '1h', timeZone: '' });
    expect(closedWhy({}, broken)).toMatch(
      /cannot be read: maintenanceWindows\[0\]\.schedule: Invalid value: "tonight"/,
    );
  });
});
