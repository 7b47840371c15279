// Time zones in labels: every name fits, and comes back.
import {
  labelOfTimeZone,
  timeZoneLabelProblem,
  timeZoneOfLabel,
  timeZoneProblem,
} from '@fleetset/scheduler-core/time-zone';
import { labelValueProblem } from '@fleetset/scheduler-core/validation/names';
import { expect, it } from 'vitest';

it('every zone there is fits into a label and comes back out of it', () => {
  const zones = [...Intl.supportedValuesOf('timeZone'), 'Etc/GMT+5', 'Etc/GMT-14', 'UTC'];
  expect(zones.length).toBeGreaterThan(400);
  for (const zone of zones) {
    const label = labelOfTimeZone(zone);
    expect([zone, labelValueProblem(label), timeZoneLabelProblem(label)]).toEqual([
      zone,
      undefined,
      undefined,
    ]);
    expect(timeZoneOfLabel(label)).toBe(zone);
  }
});

it.each(['Mars/Base', '', '+02:00', 'Local'])('%s is none', (zone) => {
  expect(timeZoneProblem(zone)).toMatch(/IANA/);
});
