// Tells systemd that the service is up, that it still works, and that it needs longer to stop, when it runs under
// systemd (NOTIFY_SOCKET).
import { execFile } from 'node:child_process';

/** Node has no datagram sockets to speak sd_notify itself; systemd brings a command that does. */
function notify(environment: NodeJS.ProcessEnv, words: readonly string[], what: string): void {
  if (!environment.NOTIFY_SOCKET) return;
  execFile('systemd-notify', [`--pid=${process.pid}`, ...words], { env: environment }, (error) => {
    if (error) process.stderr.write(`fleetset: systemd was not told ${what}: ${error.message}\n`);
  });
}

export const notifyReady = (environment: NodeJS.ProcessEnv): void =>
  notify(environment, ['--ready'], 'of readiness');

/** From now on the service may take so long to stop. */
export const notifyStopsWithin = (environment: NodeJS.ProcessEnv, ms: number): void =>
  notify(environment, [`EXTEND_TIMEOUT_USEC=${Math.ceil(ms) * 1000}`], 'how long stopping takes');

/** Whether systemd, which stops this service, stops all of the machine. False where it cannot be asked. */
export function machineShutsDown(environment: NodeJS.ProcessEnv): Promise<boolean> {
  if (!environment.NOTIFY_SOCKET) return Promise.resolve(false);
  return new Promise((resolve) => {
    // Its exit code is 0 only for `running`.
    execFile('systemctl', ['is-system-running'], { timeout: 3000, env: environment }, (_error, stdout) =>
      resolve(stdout.trim() === 'stopping'),
    );
  });
}

export interface Watchdog {
  /** What is watched went on. */
  readonly passed: () => void;
  /** `wake` lets it go on where it would rest for too long. */
  readonly start: (wake: () => void) => void;
  readonly stop: () => void;
}

/** Pings only when what is watched has gone on since the last ping: a timer alone would ping for a service that hangs.
 *  Undefined where systemd does not ask for it (WatchdogSec). */
export function createWatchdog(
  environment: NodeJS.ProcessEnv,
  ping: () => void = () => notify(environment, ['WATCHDOG=1'], 'that the service works'),
): Watchdog | undefined {
  const limitMs = Number(environment.WATCHDOG_USEC) / 1000;
  const ours = environment.WATCHDOG_PID === undefined || Number(environment.WATCHDOG_PID) === process.pid;
  if (!(limitMs > 0) || !ours) return undefined;
  const periodMs = limitMs / 3;
  let pingedAt = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  return {
    passed: () => {
      const now = performance.now();
      if (now - pingedAt < periodMs * 0.9) return;
      pingedAt = now;
      ping();
    },
    start: (wake) => {
      timer = setInterval(wake, periodMs);
    },
    stop: () => clearInterval(timer),
  };
}
