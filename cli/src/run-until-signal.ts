// Runs a service until SIGTERM or ^C, then ends it; a second signal ends it at once.
import type { Logger } from 'pino';

const STOP_LIMIT_MS = 8000;

export function runUntilSignal(logger: Logger, stop: () => Promise<void>): Promise<number> {
  return new Promise((resolve) => {
    let stopping = false;
    const onSignal = (signal: NodeJS.Signals) => {
      if (stopping) return resolve(1);
      stopping = true;
      logger.info(`${signal}: stopping`);
      const late = setTimeout(() => {
        logger.warn('stopping takes too long; leaving');
        resolve(1);
      }, STOP_LIMIT_MS);
      stop().then(
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
