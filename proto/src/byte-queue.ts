// Bytes on their way to one reader that may be slow. Whoever fills the queue looks at how much waits, or at what was
// taken, and holds back: the queue itself never does.

export interface ByteQueue extends AsyncIterable<Uint8Array> {
  readonly push: (bytes: Uint8Array) => void;
  /** No more comes; what waits is still read. */
  readonly end: () => void;
  /** The reader is told now; what waits is gone. */
  readonly fail: (error: Error) => void;
  readonly waiting: () => number;
}

/** `onTaken` hears of each piece when the reader is done with it, and of all that comes once the reader has left. */
export function createByteQueue(onTaken: (bytes: number) => void = () => {}): ByteQueue {
  let pieces: Uint8Array[] = [];
  let waiting = 0;
  let ended = false;
  let left = false;
  let failure: Error | undefined;
  let wake = () => {};

  const done = (bytes: number) => {
    waiting -= bytes;
    onTaken(bytes);
  };

  async function* read(): AsyncGenerator<Uint8Array, void> {
    try {
      for (;;) {
        if (failure) throw failure;
        const piece = pieces.shift();
        if (piece) {
          yield piece;
          done(piece.length);
        } else if (ended) return;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      left = true;
      pieces = [];
      if (waiting > 0) done(waiting);
    }
  }

  return {
    push: (bytes) => {
      if (bytes.length === 0 || ended || failure) return;
      if (left) return onTaken(bytes.length);
      pieces.push(bytes);
      waiting += bytes.length;
      wake();
    },
    end: () => {
      ended = true;
      wake();
    },
    fail: (error) => {
      failure ??= error;
      wake();
    },
    waiting: () => waiting,
    [Symbol.asyncIterator]: read,
  };
}
