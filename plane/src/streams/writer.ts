// Writing to a connection at the pace of whoever reads it.
import type { Duplex } from 'node:stream';

/** Resolves when more may be written, or nobody reads any more. */
export type Writer = (bytes: Buffer) => Promise<void>;

export function createWriter(connection: Duplex): Writer {
  /** Many may write to one connection; they wait together. */
  let room: Promise<void> | undefined;
  const waitForRoom = () =>
    new Promise<void>((resolve) => {
      const go = () => {
        connection.off('drain', go);
        connection.off('close', go);
        room = undefined;
        resolve();
      };
      connection.on('drain', go);
      connection.on('close', go);
      if (connection.destroyed) go();
    });
  return async (bytes) => {
    if (!connection.writable) return;
    if (connection.write(bytes)) return;
    room ??= waitForRoom();
    await room;
  };
}
