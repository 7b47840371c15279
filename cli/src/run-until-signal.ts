// Runs a service until SIGTERM or ^C, then ends it; a second signal ends it at once.
import type { Logger } from 'pino';

const STOP_LIMIT_MS = 8000;

/** `stop` may ask for longer than usual. */
export function runUntilSignal(
  logger: Logger,
  stop: (allow: (ms: number) => void) => Promise<void>,
): Promise<number> {
  return new Promise((resolve) => {
    let stopping = false;
    const onSignal = (signal: NodeJS.Signals) => {
      if (stopping) return resolve(1);
      stopping = true;
      logger.info(`${signal}: stopping`);
      const leave = () => {
        logger.warn('stopping takes too long; leaving');
        resolve(1);
      };
      let late = setTimeout(leave, STOP_LIMIT_MS);
      const allow = (ms: number) => {
        clearTimeout(late);
        late = setTimeout(leave, ms + STOP_LIMIT_MS);
      };
      stop(allow).then(
        () => {
          clearTimeout(late);
          logger.info('stopped');
          resolve(0);
        },
        (error: unknown) => {
          logger.error({ err: error }, 'stopping failed');
          resolve(1);
        },
      );
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}
