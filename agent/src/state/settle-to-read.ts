// Before what the agent has on its disk is read. A disk that can only be read any more is no reason not to run pods.
import type { Logger } from 'pino';
import { type Files, settleFolder } from './durable-file.ts';

export const settleToRead = (folder: string, logger: Logger, files?: Files): Promise<void> =>
  settleFolder(folder, files).catch((err: unknown) => {
    logger.error({ err }, `${folder} cannot be flushed: what is read there may be gone after a power cut`);
  });
