// systemd hears that the agent works only while it does.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createWatchdog } from '../src/notify-systemd.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A service that goes round when it is woken, until it hangs. */
function serve(make = createWatchdog) {
  let pings = 0;
  let hangs = false;
  const watchdog = make({ WATCHDOG_USEC: '30000000' }, () => {
    pings += 1;
  });
  watchdog?.start(() => {
    if (!hangs) watchdog.passed();
  });
  const perMinute = async () => {
    pings = 0;
    await vi.advanceTimersByTimeAsync(60_000);
    return pings;
  };
  return {
    watchdog,
    perMinute,
    hang: () => {
      hangs = true;
    },
  };
}

describe('a watchdog', () => {
  it('pings three times in the time that systemd waits, though nothing else happens', async () => {
    const { perMinute } = serve();
    expect(await perMinute()).toBe(6);
  });

  it('does not ping more often when the service is busy', async () => {
    const { watchdog, perMinute } = serve();
    const busy = setInterval(() => watchdog?.passed(), 10);
    expect(await perMinute()).toBeLessThanOrEqual(7);
    clearInterval(busy);
  });

  it('is silent while the service hangs', async () => {
    const { perMinute, hang } = serve();
    await perMinute();
    hang();
    expect(await perMinute()).toBe(0);
  });

  it('that pings by its own timer would not notice: the test does', async () => {
    const { perMinute, hang } = serve((environment, ping) => {
      const made = createWatchdog(environment, ping);
      return made && { ...made, start: () => made.start(made.passed) };
    });
    hang();
    expect(await perMinute()).not.toBe(0);
  });

  it.each([
    ['systemd asks for none', {}],
    ['it is meant for another process', { WATCHDOG_USEC: '30000000', WATCHDOG_PID: '1' }],
    ['it says nothing that can be read', { WATCHDOG_USEC: 'often' }],
  ])('is not there when %s', (_when, environment) => {
    expect(createWatchdog(environment)).toBeUndefined();
  });
});
