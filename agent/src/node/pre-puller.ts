// Pulls what the plane announces: images that this node will need at its turn, one after the other, while what runs here
// runs on. Only the newest announcement counts, and none outlives the stream that it came over: the plane counts who pulls.
import {
  type PrePull,
  type PrePullImage,
  type PrePullState,
  PrePullState_Phase,
} from '@fleetset/proto/gen/fleetset/v1/node';
import type { ConfigData } from '@fleetset/scheduler-core/node/config-data';
import type { Logger } from 'pino';
import type { ContainerRuntime } from '../runtime/container-runtime.ts';
import { dockerConfig, pullCredentials } from '../runtime/pull-credentials.ts';
import { pullByAny } from './pull-by-any.ts';

export interface PrePullerParts {
  /** It looks for room on the disk before it pulls. */
  readonly runtime: Pick<ContainerRuntime, 'pull' | 'hasImage'>;
  readonly say: (state: PrePullState) => void;
  readonly logger: Logger;
}

export interface PrePuller {
  readonly take: (announced: PrePull) => void;
  /** The stream has ended, or the agent does: what is under way is broken off, and nothing is said of it. */
  readonly breakOff: () => void;
}

export function createPrePuller({ runtime, say, logger }: PrePullerParts): PrePuller {
  let current = new AbortController();
  let underWay: Promise<void> = Promise.resolve();

  const run = async ({ id, images, pullSecrets }: PrePull, signal: AbortSignal) => {
    if (signal.aborted) return;
    say({ id, phase: PrePullState_Phase.PHASE_PULLING, message: '' });
    try {
      for (const image of images) await pullAhead(image, pullSecrets, signal);
      if (!signal.aborted) say({ id, phase: PrePullState_Phase.PHASE_PULLED, message: '' });
    } catch (error) {
      if (signal.aborted) return;
      const { message } = error as Error;
      logger.warn(`an image could not be pulled in advance: ${message}`);
      say({ id, phase: PrePullState_Phase.PHASE_FAILED, message });
    }
  };

  const pullAhead = async (
    { image, pullPolicy }: PrePullImage,
    secrets: PrePull['pullSecrets'],
    signal: AbortSignal,
  ) => {
    signal.throwIfAborted();
    if (pullPolicy !== 'Always' && (await runtime.hasImage(image))) return;
    await pullByAny({ runtime, signal }, image, pullCredentials(image, secrets.flatMap(configOf)));
    logger.info({ image }, 'an image was pulled in advance');
  };

  const breakOff = () => current.abort(new Error('it is not wanted any more'));

  return {
    take: (announced) => {
      breakOff();
      current = new AbortController();
      const { signal } = current;
      // What is broken off has ended before anything else begins, so that a node never pulls for two.
      underWay = underWay.then(() => run(announced, signal));
    },
    breakOff,
  };
}

/** One that is not there, or cannot be read, opens nothing. */
function configOf({ content }: PrePull['pullSecrets'][number]) {
  if (content.length === 0) return [];
  const config = dockerConfig(JSON.parse(Buffer.from(content).toString('utf8')) as ConfigData);
  return config ? [config] : [];
}
