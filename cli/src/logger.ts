// Logs as JSON lines, or one readable line each on a terminal.

import { utcTextWithMs } from '@fleetset/scheduler-core/utc-text';
import { type Logger, pino } from 'pino';
import { UsageError } from './usage-error.ts';

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error'];
const LEVEL_NAMES: { readonly [level: number]: string } = {
  10: 'TRACE',
  20: 'DEBUG',
  30: 'INFO',
  40: 'WARN',
  50: 'ERROR',
};

/** `component` is left out where several share the process and each names itself. */
export function createLogger(level: string, component?: string): Logger {
  if (!LEVELS.includes(level))
    throw new UsageError(`log level ${JSON.stringify(level)}: must be one of ${LEVELS.join(', ')}`);
  const options = {
    level,
    base: component === undefined ? {} : { component },
    timestamp: () => `,"time":"${utcTextWithMs(Date.now())}"`,
  };
  return process.stdout.isTTY
    ? pino(options, readableLines())
    : pino(options, pino.destination({ fd: 1, sync: true }));
}

/** Time, level, message, then whatever else the line carries. */
const readableLines = () => ({
  write: (line: string) => {
    const { time, level, msg, component, err, ...rest } = JSON.parse(line) as { [key: string]: unknown };
    const fields = Object.entries(rest).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
    const failure = err ? `\n  ${(err as { stack?: string }).stack ?? JSON.stringify(err)}` : '';
    const clock = String(time).slice(11, 23);
    const name = LEVEL_NAMES[Number(level)] ?? '';
    process.stdout.write(
      `${clock} ${name.padEnd(5)} ${component ?? 'fleetset'}: ${msg} ${fields.join(' ')}${failure}\n`,
    );
  },
});
