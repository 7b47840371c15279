// Keeps room on the images' disk: before a pull it looks whether there is any, and when the disk is nearly full it
// removes images that nothing needs. Images that others brought stay, unless the settings say otherwise.
import {
  bytesToFree,
  type ImageDisk,
  imagesToRemove,
  type StoredImage,
} from '@fleetset/scheduler-core/node/image-garbage';
import type { Logger } from 'pino';
import type { ImageSettings } from '../node-settings.ts';
import { type ContainerRuntime, type EngineImage, RuntimeError } from '../runtime/container-runtime.ts';
import type { ImageBook } from '../state/image-book.ts';
import type { AgentEvents } from './agent-events.ts';

export interface ImageKeeper {
  /** The same engine; what is pulled through it is known as ours, and nothing is pulled onto a full disk. */
  readonly runtime: ContainerRuntime;
  /** Removes what it may when the high watermark is reached. */
  readonly collect: () => Promise<void>;
}

export interface ImageKeeperParts {
  readonly runtime: ContainerRuntime;
  readonly book: ImageBook;
  readonly settings: ImageSettings;
  /** Undefined while it is not known where the engine keeps images. */
  readonly readDisk: () => Promise<ImageDisk | undefined>;
  /** Names of images that pods of this node may need, however they are written. */
  readonly wanted: () => readonly string[];
  readonly events: AgentEvents;
  readonly logger: Logger;
  /** Milliseconds since the epoch: ages outlive the agent. */
  readonly now: () => number;
  readonly onRemoved: (image: EngineImage) => void;
}

export function createImageKeeper(parts: ImageKeeperParts): ImageKeeper {
  const { runtime, book, settings } = parts;
  /** Images of others, by when they were seen first. */
  const strangers = new Map<string, number>();
  let collecting: Promise<unknown> = Promise.resolve();

  /** One at a time: two would remove twice as much as it takes. */
  const free = (wantedBytes: (disk: ImageDisk) => number): Promise<void> => {
    const next = collecting.then(() => freeSpace(parts, strangers, wantedBytes));
    collecting = next.catch(() => {});
    return next;
  };

  const requireSpace = async () => {
    const missing = ({ availableBytes }: ImageDisk) => settings.minFreeBytes - availableBytes;
    const before = await parts.readDisk();
    if (!before || missing(before) <= 0) return;
    await free(missing);
    const disk = await parts.readDisk();
    if (!disk || missing(disk) <= 0) return;
    throw new RuntimeError(
      'no-space',
      `only ${mebibytes(disk.availableBytes)} are free where the engine keeps images, and nothing is pulled below ${mebibytes(settings.minFreeBytes)} (imagePullMinFree)`,
    );
  };

  return {
    runtime: {
      ...runtime,
      pull: async (image, ...more) => {
        await requireSpace();
        const before = await runtime.imageId(image);
        await runtime.pull(image, ...more);
        const id = await runtime.imageId(image);
        if (id) await book.add(image, id, before, parts.now());
      },
    },
    collect: async () => {
      await free((disk) => bytesToFree(disk, settings));
    },
  };
}

const mebibytes = (bytes: number): string => `${Math.floor(bytes / 2 ** 20)}Mi`;

async function freeSpace(
  parts: ImageKeeperParts,
  strangers: Map<string, number>,
  wantedBytes: (disk: ImageDisk) => number,
): Promise<void> {
  const disk = await parts.readDisk();
  const wanted = disk ? wantedBytes(disk) : 0;
  if (!disk || wanted <= 0) return;
  const aim = disk.availableBytes + wanted;
  let left = await storedImages(parts, strangers);
  let missing = wanted;
  while (missing > 0) {
    // Images share layers: what removing one has really freed is seen only afterwards.
    const chosen = imagesToRemove(left, missing, parts.settings.minAgeMs, parts.now());
    if (chosen.length === 0) break;
    for (const image of chosen) await removeOne(parts, image as CandidateImage);
    left = left.filter((image) => !chosen.includes(image));
    missing = aim - ((await parts.readDisk())?.availableBytes ?? aim);
  }
  if (missing > 0)
    parts.events.add({
      type: 'Warning',
      reason: 'FreeDiskSpaceFailed',
      message: 'The disk of the images is nearly full, and no more images can be removed from it',
    });
}

interface CandidateImage extends StoredImage {
  readonly image: EngineImage;
}

async function storedImages(
  { runtime, book, settings, wanted, now }: ImageKeeperParts,
  strangers: Map<string, number>,
): Promise<readonly CandidateImage[]> {
  const images = await runtime.images();
  const present = new Set(images.map(({ id }) => id));
  await book.keepOnly(present);
  for (const id of strangers.keys()) if (!present.has(id)) strangers.delete(id);
  const needed = new Set(await Promise.all(wanted().map((name) => runtime.imageId(name))));
  const inUse = new Set(images.filter(({ id, inUse: used }) => used || needed.has(id)).map(({ id }) => id));
  book.touch(inUse, now());
  const ours = new Map(book.pulled().map((image) => [image.id, image]));
  return images.map((image) => {
    const pulled = ours.get(image.id);
    if (!strangers.has(image.id)) strangers.set(image.id, now());
    const seenAt = strangers.get(image.id) ?? now();
    // A name that we did not give is somebody's wish to have it.
    const isOurs = pulled !== undefined && image.tags.every((tag) => pulled.names.includes(tag));
    return {
      id: image.id,
      image,
      sizeBytes: image.sizeBytes,
      kept: inUse.has(image.id) || (!isOurs && !settings.foreign),
      cameAt: pulled?.pulledAt ?? seenAt,
      usedAt: pulled?.usedAt ?? seenAt,
    };
  });
}

/** By its names: the last one takes the image along. One that is used after all the engine refuses to remove. */
async function removeOne(
  { runtime, logger, onRemoved }: ImageKeeperParts,
  { image }: CandidateImage,
): Promise<void> {
  try {
    for (const name of image.tags.length > 0 ? image.tags : [image.id]) await runtime.removeImage(name);
    logger.info(
      { image: image.tags.join(' ') || image.id, bytes: image.sizeBytes },
      'an image was removed for space',
    );
    onRemoved(image);
  } catch (error) {
    logger.warn({ image: image.tags.join(' ') || image.id }, `an image stays: ${(error as Error).message}`);
  }
}
