// Instants as texts: the same that Date writes, without what Date loads for it.
import { utcText, utcTextWithMs } from '@fleetset/scheduler-core/utc-text';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { holds } from './property.ts';

it('any instant is written as Date writes it', () => {
  holds(
    fc.property(fc.date({ noInvalidDate: true }), (date) => {
      expect(utcTextWithMs(date.getTime())).toBe(date.toISOString());
      expect(utcText(date.getTime())).toBe(date.toISOString().replace(/\.\d+Z$/, 'Z'));
    }),
    100,
    [[new Date(0)], [new Date('0005-01-02T03:04:05.006Z')], [new Date('9999-12-31T23:59:59.999Z')]],
  );
});

it('no instant is no text', () => {
  expect(() => utcText(Number.NaN)).toThrow(RangeError);
});
