// Gives memory back that a busy time left behind. V8 collects when it needs room: a process that rests needs none, and
// would keep for hours what an update or a few thousand probes have used.

const LOOK_MS = 30_000;
const WORTH_BYTES = 1024 * 1024;

export interface Heap {
  readonly usedBytes: () => number;
  readonly collect: () => void;
}

/** Undefined where Node was started without --expose-gc. */
export const openHeap = (): Heap | undefined => {
  const { gc } = globalThis;
  return gc && { usedBytes: () => process.memoryUsage().heapUsed, collect: () => void gc() };
};

/** Collects when more than a mebibyte came since the last time, which takes 20 ms. Call the answer to end it. */
export function keepTidy({ usedBytes, collect }: Heap): () => void {
  let left = 0;
  const timer = setInterval(() => {
    if (usedBytes() - left < WORTH_BYTES) return;
    collect();
    left = usedBytes();
  }, LOOK_MS);
  return () => clearInterval(timer);
}
