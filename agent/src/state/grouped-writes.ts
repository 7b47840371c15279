// A file that is written whole: whoever asks while it is being written shares the next writing with all who ask till then.

/** Each answer is on disk, as it is then, when it resolves; one at a time, in order. */
export function groupedWrites(write: () => Promise<void>): () => Promise<void> {
  let last = Promise.resolve();
  let begun = true;
  return () => {
    if (!begun) return last;
    begun = false;
    last = last
      .catch(() => {})
      .then(() => {
        begun = true;
        return write();
      });
    return last;
  };
}
