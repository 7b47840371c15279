// Which images a node removes when their filesystem is nearly full, by kubelet's watermarks: those that were not used
// for the longest time first, and no more than it takes.

export interface ImageLimits {
  /** Percent of the filesystem in use from which on images are removed; 100: never. */
  readonly highPercent: number;
  /** Percent that is aimed at then. */
  readonly lowPercent: number;
  /** Younger ones are left alone: whoever brought them may be about to use them. */
  readonly minAgeMs: number;
}

export const DEFAULT_IMAGE_LIMITS: ImageLimits = { highPercent: 85, lowPercent: 80, minAgeMs: 120_000 };

export interface StoredImage {
  readonly id: string;
  readonly sizeBytes: number;
  /** A container was made of it, a template that may run here names it, or it is nobody's of ours. */
  readonly kept: boolean;
  /** Instants of one clock. */
  readonly cameAt: number;
  readonly usedAt: number;
}

export interface ImageDisk {
  readonly availableBytes: number;
  readonly capacityBytes: number;
}

/** How much has to be freed; 0 while the high watermark is not reached. */
export function bytesToFree({ availableBytes, capacityBytes }: ImageDisk, limits: ImageLimits): number {
  if (capacityBytes <= 0 || limits.highPercent >= 100) return 0;
  const usedPercent = 100 - Math.floor((availableBytes * 100) / capacityBytes);
  if (usedPercent < limits.highPercent) return 0;
  return Math.max(0, Math.ceil((capacityBytes * (100 - limits.lowPercent)) / 100) - availableBytes);
}

/** In the order in which they are to go. May free less than is wanted. */
export function imagesToRemove(
  images: readonly StoredImage[],
  wantedBytes: number,
  minAgeMs: number,
  now: number,
): readonly StoredImage[] {
  const candidates = images
    .filter(({ kept, cameAt }) => !kept && now - cameAt >= minAgeMs)
    .sort((a, b) => a.usedAt - b.usedAt || a.cameAt - b.cameAt || (a.id < b.id ? -1 : 1));
  const chosen: StoredImage[] = [];
  let freed = 0;
  for (const image of candidates) {
    if (freed >= wantedBytes) break;
    chosen.push(image);
    freed += image.sizeBytes;
  }
  return chosen;
}
