// Events do not pile up: old ones and too many are dropped, on the plane's own timer.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createEventRecorder, type EventInput } from '../../src/events/event-recorder.ts';
import type { Store } from '../../src/store/store.ts';
import { committed, onDisk, type StoreFile, storeFile } from '../support/store.ts';
import { turns } from '../support/until.ts';

let file: StoreFile;
let store: Store;
const lost: unknown[] = [];
const NOW = Date.parse('2030-01-01T12:00:00Z');
const input = (reason: string): EventInput => ({
  subject: { kind: 'Node', apiVersion: 'v1', name: 'n', uid: 'u' },
  type: 'Normal',
  reason,
  message: 'm',
  component: 'test',
});

beforeEach(() => {
  // Only what the recorder's own timer uses: the store's turns of the event loop stay real.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'], now: NOW });
  file = storeFile();
  store = file.open();
});
afterEach(async () => {
  vi.useRealTimers();
  await store.close();
  expect(lost).toEqual([]);
});

const at = (ms: number) => new Date(ms).toISOString();
const record = (nowText = () => at(Date.now())) =>
  createEventRecorder(store, nowText, (error) => void lost.push(error));
const reasons = () => [...store.list('core/events')].map(({ value }) => value.reason);

describe('the sweep', () => {
  it('drops what was last seen more than an hour ago, from the disk too', async () => {
    const recorder = record();
    recorder.record(input('Old'));
    await turns();
    vi.setSystemTime(NOW + 3_500_000);
    recorder.record(input('Young'));
    await turns();
    vi.setSystemTime(NOW + 3_600_001);
    vi.advanceTimersByTime(60_000);
    await turns();
    expect(reasons()).toEqual(['Young']);
    expect(onDisk(file, 'core/events').size).toBe(1);
    recorder.close();
  });

  it('keeps an old one that goes on happening', async () => {
    const recorder = record();
    recorder.record(input('Old'));
    await turns();
    vi.setSystemTime(NOW + 3_500_000);
    recorder.record(input('Old'));
    await turns();
    vi.setSystemTime(NOW + 3_700_000);
    vi.advanceTimersByTime(60_000);
    await turns();
    expect([...store.list('core/events')].map(({ value }) => value.count)).toEqual([2]);
    recorder.close();
  });

  it('drops the oldest beyond five thousand', async () => {
    const recorder = record();
    await committed(
      store,
      Array.from({ length: 5010 }, (_, index) => ({
        collection: 'core/events',
        id: `default/e${index}`,
        value: { metadata: {}, reason: `r${index}`, lastTimestamp: at(NOW - index * 100) },
        durable: true,
      })),
    );
    vi.advanceTimersByTime(60_000);
    await turns();
    expect(reasons()).toHaveLength(5000);
    expect(reasons()).toContain('r4999');
    expect(reasons()).not.toContain('r5000');
    recorder.close();
  });

  it('ends with the recorder', async () => {
    const recorder = record();
    recorder.record(input('Old'));
    await turns();
    recorder.close();
    vi.setSystemTime(NOW + 10_000_000);
    vi.advanceTimersByTime(120_000);
    await turns();
    expect(reasons()).toEqual(['Old']);
  });
});
