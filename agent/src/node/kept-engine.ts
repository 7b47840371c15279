// The engine as the node uses it: what fails on it is counted, images are kept within bounds, and what nobody needs is
// tidied. Who asks how it is gets what it said last.
import type { NodeDesired, NodeReport } from '@fleetset/proto/gen/fleetset/v1/node';
import type { Logger } from 'pino';
import { every } from '../every.ts';
import type { DiskLevels } from '../facts/machine-levels.ts';
import { type Meters, meteredRuntime } from '../local/meters.ts';
import type { ImageSettings } from '../node-settings.ts';
import type { ContainerRuntime, RuntimeInfo } from '../runtime/container-runtime.ts';
import { HOLDER_IMAGE } from '../runtime/holder-image.ts';
import type { BodyFiles } from '../state/body-files.ts';
import type { DesiredFile } from '../state/desired-file.ts';
import type { Files } from '../state/durable-file.ts';
import { openImageBook } from '../state/image-book.ts';
import type { PodBook } from '../state/pod-book.ts';
import type { AgentEvents } from './agent-events.ts';
import { createHousekeeping, wantedImages } from './housekeeping.ts';
import { createImageKeeper } from './image-keeper.ts';

export interface KeptEngineParts {
  readonly dataDir: string;
  readonly files: Files;
  readonly runtime: ContainerRuntime;
  readonly images: ImageSettings;
  readonly readDisk: (path: string) => Promise<DiskLevels | undefined>;
  readonly pods: PodBook;
  readonly bodies: BodyFiles;
  readonly desired: DesiredFile;
  readonly events: AgentEvents;
  readonly meters: Meters;
  readonly logger: Logger;
  readonly onUnreadable: (error: unknown) => void;
}

export interface KeptEngine {
  readonly runtime: ContainerRuntime;
  /** Undefined while it has not answered. */
  readonly info: () => RuntimeInfo | undefined;
  readonly reported: (report: NodeReport) => void;
  readonly told: (desired: NodeDesired) => void;
  /** Until the signal; calls back when the engine was asked what it is. */
  readonly keep: (signal: AbortSignal, onChange: () => void) => void;
  /** All that it noted is on disk when it resolves. */
  readonly flush: () => Promise<void>;
}

const INFO = { periodMs: 600_000, retryMs: 10_000 };

export async function openKeptEngine(parts: KeptEngineParts): Promise<KeptEngine> {
  const { pods, bodies, desired, meters, logger, readDisk } = parts;
  const book = await openImageBook(parts.dataDir, parts.onUnreadable, parts.files);
  let info: RuntimeInfo | undefined;
  const keeper = createImageKeeper({
    runtime: meteredRuntime(parts.runtime, meters),
    book,
    settings: parts.images,
    readDisk: async () => {
      const disk = info && (await readDisk(info.rootDir));
      return disk && { availableBytes: disk.bytes.available, capacityBytes: disk.bytes.capacity };
    },
    wanted: () => [HOLDER_IMAGE, ...wantedImages({ book, pods, bodies }, desired.current())],
    events: parts.events,
    logger,
    now: Date.now,
    onRemoved: ({ sizeBytes }) => meters.imageRemoved(sizeBytes),
  });
  const runtime: ContainerRuntime = {
    ...keeper.runtime,
    info: async () => {
      info = await keeper.runtime.info();
      return info;
    },
  };
  const housekeeping = createHousekeeping({ runtime, keeper, book, pods, bodies, logger });
  return {
    runtime,
    info: () => info,
    reported: housekeeping.note,
    told: housekeeping.told,
    keep: (signal, onChange) => {
      void every(INFO, signal, async () => {
        await runtime.info();
        onChange();
      });
      housekeeping.keep(signal);
    },
    flush: book.flush,
  };
}
