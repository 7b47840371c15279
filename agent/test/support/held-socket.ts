// A socket that stays open while the engine behind it is restarted, as systemd keeps docker.socket: who connects
// meanwhile is neither refused nor answered until the engine is back.
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface HeldSocket {
  /** How many have come while nobody was there. */
  readonly waited: () => number;
  /** How many have come through to an engine. */
  readonly passed: () => number;
  readonly close: () => void;
}

const TRY_AGAIN_MS = 20;

export async function holdSocket(path: string, enginePath: string): Promise<HeldSocket> {
  const open = new Set<Socket>();
  let waited = 0;
  let passed = 0;

  const pass = (client: Socket, isFirst: boolean) => {
    const engine = connect(enginePath);
    engine.once('error', () => {
      if (isFirst) waited += 1;
      if (!client.destroyed) setTimeout(pass, TRY_AGAIN_MS, client, false);
    });
    engine.once('connect', () => {
      engine.removeAllListeners('error');
      passed += 1;
      for (const [one, other] of [
        [client, engine],
        [engine, client],
      ] as const) {
        one.on('error', () => other.destroy());
        one.on('close', () => other.destroy());
        one.pipe(other);
      }
    });
  };
  const server = createServer({ pauseOnConnect: true }, (client) => {
    open.add(client);
    client.on('close', () => open.delete(client));
    client.on('error', () => client.destroy());
    pass(client, true);
  });
  server.listen(path);
  await once(server, 'listening');
  return {
    waited: () => waited,
    passed: () => passed,
    close: () => {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}
