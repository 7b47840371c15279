// What an agent tidies every few minutes: images that nothing needs, and containers that carry its label and belong to
// nobody. It notes which templates work, so that their images stay for a rollback.
import type { NodeDesired, NodeReport } from '@fleetset/proto/gen/fleetset/v1/node';
import type { PodTemplateSpec } from '@fleetset/scheduler-core/schema/pod';
import type { Logger } from 'pino';
import { every } from '../every.ts';
import { type ContainerRuntime, isRuntimeError } from '../runtime/container-runtime.ts';
import type { BodyFiles } from '../state/body-files.ts';
import type { ImageBook, WorkingTemplate } from '../state/image-book.ts';
import type { PodBook } from '../state/pod-book.ts';
import { templateOf } from './desired-state.ts';
import type { ImageKeeper } from './image-keeper.ts';

export interface HousekeepingParts {
  readonly runtime: Pick<ContainerRuntime, 'strays' | 'remove'>;
  readonly keeper: Pick<ImageKeeper, 'collect'>;
  readonly book: ImageBook;
  readonly pods: PodBook;
  readonly bodies: BodyFiles;
  readonly logger: Logger;
}

export interface Housekeeping {
  /** Until the signal. */
  readonly keep: (signal: AbortSignal) => void;
  /** Pods that are available are of templates that work. */
  readonly note: (report: NodeReport) => void;
  readonly told: (desired: NodeDesired) => void;
}

/** As kubelet collects images. */
const ROUND = { periodMs: 300_000, retryMs: 60_000 };

export function createHousekeeping(parts: HousekeepingParts): Housekeeping {
  const { runtime, keeper, book, pods, bodies, logger } = parts;

  /** Nothing looks after them: they have no pod that could be told, restarted or stopped. */
  const reap = async () => {
    for (const id of await runtime.strays()) {
      logger.warn({ id }, 'a container with our label that belongs to no pod is removed');
      await runtime.remove(id);
    }
  };

  return {
    keep: (signal) =>
      void every(ROUND, signal, async () => {
        const done = await Promise.allSettled([keeper.collect(), reap()]);
        const failed = done.flatMap((one) => (one.status === 'rejected' ? [one.reason as Error] : []));
        // That the engine is away the node loop says.
        for (const error of failed)
          if (!isRuntimeError(error, 'unreachable')) logger.warn(`housekeeping failed: ${error.message}`);
        if (failed[0]) throw failed[0];
      }),
    note: (report) => {
      const working = new Map<string, WorkingTemplate[]>();
      for (const { uid, daemonSetUid, available, unknown } of report.pods) {
        const templateHash = pods.get(uid)?.record.templateHash;
        const template =
          templateHash && available && !unknown ? templateOf(bodies, { templateHash }) : undefined;
        if (!templateHash || !template) continue;
        const known = working.get(daemonSetUid) ?? [];
        working.set(daemonSetUid, [...known, { templateHash, images: templateImages(template) }]);
      }
      for (const [uid, templates] of working) book.noteWorking(uid, templates);
    },
    told: (desired) => book.keepSets(new Set(desired.daemonSets.map(({ uid }) => uid))),
  };
}

export const templateImages = ({ spec }: PodTemplateSpec): readonly string[] =>
  [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].flatMap(({ image }) =>
    image ? [image] : [],
  );

/** Of the pods that are here, of what is granted, and of what worked lately. */
export function wantedImages(
  { book, pods, bodies }: Pick<HousekeepingParts, 'book' | 'pods' | 'bodies'>,
  told: NodeDesired | undefined,
): readonly string[] {
  const hashes = new Set([
    ...pods.all().map(({ record }) => record.templateHash),
    ...(told?.daemonSets ?? []).map(({ templateHash }) => templateHash),
  ]);
  const templates = [...hashes].flatMap((templateHash) => templateOf(bodies, { templateHash }) ?? []);
  return [...new Set([...templates.flatMap(templateImages), ...book.workingImages()])];
}
