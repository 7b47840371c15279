// A connection to a port of the network that this process is in.
import { connect, type Socket } from 'node:net';

/** IPv4 first, as most listen there. Nothing is read from the socket yet, so that it can be handed over whole. */
export const dialLocalhost = (port: number): Promise<Socket> =>
  dial('127.0.0.1', port).catch((refused: unknown) =>
    dial('::1', port).catch(() => {
      throw refused;
    }),
  );

export function dial(host: string, port: number, timeoutMs = 10_000): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
    socket.pause();
    const late = setTimeout(
      () => socket.destroy(Object.assign(new Error('timed out'), { code: 'ETIMEDOUT' })),
      timeoutMs,
    );
    socket.once('connect', () => {
      clearTimeout(late);
      socket.off('error', reject);
      resolve(socket);
    });
    socket.once('error', (error) => {
      clearTimeout(late);
      reject(error);
    });
  });
}
