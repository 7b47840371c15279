// Stands before a registry: knows which machine asks for what, and can hold layers back, so that a pull takes as long as a
// test wants.
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface RegistryGate {
  readonly port: number;
  /** Machines whose layers are on their way or held back, by address. */
  readonly pulling: () => readonly string[];
  /** The most of them at one moment, since layers were held back last. */
  readonly most: () => number;
  /** How often anybody asked for a layer. */
  readonly asked: () => number;
  /** From now on layers wait for `release`; or no longer, and what waits goes. */
  readonly hold: (held: boolean) => void;
  /** What this machine waits for goes, and what it asks for from now on: a pull asks for one thing after the other. */
  readonly release: (address: string) => void;
  readonly close: () => void;
}

export async function openRegistryGate(registryPort: number, host: string): Promise<RegistryGate> {
  const waiting = new Map<string, (() => void)[]>();
  const layers = new Map<string, number>();
  const released = new Set<string>();
  let held = false;
  let most = 0;
  let asked = 0;

  const count = (address: string, by: number) => {
    const now = (layers.get(address) ?? 0) + by;
    if (now > 0) layers.set(address, now);
    else layers.delete(address);
    most = Math.max(most, layers.size);
  };
  const pass = (incoming: IncomingMessage, response: ServerResponse) => {
    const passed = request({
      host: '127.0.0.1',
      port: registryPort,
      method: incoming.method,
      path: incoming.url,
      headers: incoming.headers,
    });
    passed.on('error', () => response.destroy());
    passed.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.pipe(response);
    });
    incoming.pipe(passed);
  };
  const server = createServer((incoming, response) => {
    const address = incoming.socket.remoteAddress?.replace(/^::ffff:/, '') ?? '';
    const isLayer = incoming.method === 'GET' && /\/blobs\//.test(incoming.url ?? '');
    if (!isLayer) return pass(incoming, response);
    asked += 1;
    count(address, 1);
    response.on('close', () => count(address, -1));
    if (!held || released.has(address)) return pass(incoming, response);
    waiting.set(address, [...(waiting.get(address) ?? []), () => pass(incoming, response)]);
  });
  server.listen(0, host);
  await once(server, 'listening');
  const release = (address: string) => {
    released.add(address);
    for (const go of waiting.get(address) ?? []) go();
    waiting.delete(address);
  };
  return {
    port: (server.address() as AddressInfo).port,
    pulling: () => [...layers.keys()].sort(),
    most: () => most,
    asked: () => asked,
    hold: (now) => {
      held = now;
      if (held) {
        most = layers.size;
        released.clear();
      } else for (const address of [...waiting.keys()]) release(address);
    },
    release,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
