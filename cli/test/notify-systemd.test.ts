// systemd hears that the agent works only while it does.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createWatchdog, machineShutsDown } from '../src/notify-systemd.ts';

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
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

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

describe('the machine shuts down', () => {
  const asked = async (script: string, more: NodeJS.ProcessEnv = { NOTIFY_SOCKET: '/run/notify' }) => {
    const directory = await mkdtemp(join(tmpdir(), 'fleetset-systemctl-'));
    onTestFinished(() => rm(directory, { recursive: true }));
    await writeFile(join(directory, 'systemctl'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return machineShutsDown({ PATH: `${directory}:${process.env.PATH}`, ...more });
  };

  it.each([
    ['when systemd says that it is stopping', 'echo stopping; exit 1', true],
    ['not when only this service is stopped', 'echo running', false],
    ['nor on a machine where some unit failed', 'echo degraded; exit 1', false],
    ['nor where systemd cannot be asked', 'exit 1', false],
  ])('%s', async (_when, script, answer) => {
    expect(await asked(script)).toBe(answer);
  });

  it('never without systemd', async () => {
    expect(await asked('echo stopping', {})).toBe(false);
  });
});
