// Messages to one agent: one is on its way at a time, the others wait here. A reader that stands still so costs
// the plane no more than it lets wait, and what waits can be dropped.

export interface Outbox {
  readonly put: (message: Buffer) => void;
  /** Of the messages that wait. */
  readonly waitingBytes: () => number;
  readonly drop: () => void;
  /** Calls back once, when all that was put is written. */
  readonly whenEmpty: (callback: () => void) => void;
}

/** `write` calls `written` when it can take the next. */
export function createOutbox(write: (message: Buffer, written: () => void) => void): Outbox {
  let waiting: Buffer[] = [];
  let bytes = 0;
  let underWay = false;
  let onEmpty: (() => void) | undefined;

  const next = () => {
    const message = waiting.shift();
    underWay = message !== undefined;
    if (!message) return onEmpty?.();
    bytes -= message.length;
    write(message, next);
  };

  return {
    put: (message) => {
      waiting.push(message);
      bytes += message.length;
      if (!underWay) next();
    },
    waitingBytes: () => bytes,
    drop: () => {
      waiting = [];
      bytes = 0;
    },
    whenEmpty: (callback) => {
      if (underWay) onEmpty = callback;
      else callback();
    },
  };
}
