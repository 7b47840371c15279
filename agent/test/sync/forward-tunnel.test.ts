// A forwarded connection, at the agent, to a real server on this machine: halves, errors, and slow ends.
import { createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPlaneClient, type PlaneClient } from '../../src/sync/plane-client.ts';
import { createFakeEngine } from '../fake-runtime.ts';
import { podRecord, settings } from '../pods.ts';
import { openScriptedPlane, type ScriptedPlane, type Tunnel } from '../scripted-plane.ts';
import { OBEYS } from '../test-programs.ts';
import { until } from '../wait-until.ts';
import { answerOf, framesOf, openTunnelTo } from './tunnels.ts';

const KB = 1024;
let plane: ScriptedPlane;
let client: PlaneClient;
let server: Server;
let port: number;
const sockets: Socket[] = [];
beforeAll(async () => {
  plane = await openScriptedPlane();
  client = createPlaneClient(plane.identity('node-1'));
  server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    socket.on('error', () => {});
    sockets.push(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as { port: number }).port;
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  server.close();
  client.close();
  await plane.goDown();
});

const pod = podRecord();
/** On the network of this machine. */
async function runtimeWithPod() {
  const runtime = createFakeEngine().runtime('test/node');
  await runtime.start(await runtime.create(settings(OBEYS, { identity: { pod, name: 'app', attempt: 0 } })));
  return runtime;
}
async function forward(to = port, podUid = pod.uid) {
  const index = sockets.length;
  const opened = await openTunnelTo(plane, client, await runtimeWithPod(), {
    $case: 'portForward',
    value: { podUid, port: to },
  });
  const answer = await until('it is answered', () => answerOf(opened.tunnel));
  const socket = () => until('the server is connected', () => sockets[index]);
  return { ...opened, answer, socket };
}
const say = (tunnel: Tunnel, text: string) => tunnel.send({ $case: 'data', value: Buffer.from(text) });

describe('a forwarded connection', () => {
  it('carries both ways and ends each half by itself, the client’s first', async () => {
    const { tunnel, answer, socket, served } = await forward();
    expect(answer).toEqual({ code: 200, message: '' });
    const there = await socket();
    let heard = '';
    there.on('data', (chunk) => {
      heard += chunk;
    });
    there.on('end', () => there.end(`you said: ${heard}`));
    there.resume();
    say(tunnel, 'hello');
    tunnel.send({ $case: 'dataEnd', value: {} });
    await served;
    await until('it has ended', tunnel.ended);
    expect(tunnel.text()).toBe('you said: hello');
    expect(tunnel.frames.slice(-2)).toEqual([
      { $case: 'dataEnd', value: {} },
      { $case: 'end', value: { exitCode: 0, failure: '' } },
    ]);
  });

  it('the server’s first', async () => {
    const { tunnel, socket, served } = await forward();
    const there = await socket();
    there.end('bye');
    await until('its half is over', () => framesOf(tunnel, 'dataEnd').length === 1);
    let heard = '';
    there.on('data', (chunk) => {
      heard += chunk;
    });
    there.resume();
    say(tunnel, 'still here');
    tunnel.send({ $case: 'dataEnd', value: {} });
    await served;
    expect(tunnel.text()).toBe('bye');
    await until('it hears', () => heard === 'still here');
  });

  it('that the server breaks off is a failure, and that the client leaves closes it', async () => {
    const broken = await forward();
    (await broken.socket()).resetAndDestroy();
    await broken.served;
    await until('it has ended', broken.tunnel.ended);
    expect(framesOf(broken.tunnel, 'end')).toEqual([{ exitCode: 0, failure: 'read ECONNRESET' }]);
    const left = await forward();
    const there = await left.socket();
    there.resume();
    left.tunnel.cancel();
    await left.served;
    await until('the server is told', () => there.closed || there.readableEnded);
  });

  it('to a server that does not read holds the client back', async () => {
    const { tunnel, socket, served } = await forward();
    const there = await socket();
    const size = 16 * KB * KB;
    let [sent, taken] = [0, 0];
    const feed = () => {
      taken = (framesOf(tunnel, 'taken') as readonly number[]).reduce((sum, bytes) => sum + bytes, 0);
      for (; sent < size && sent - taken < 256 * KB; sent += 64 * KB)
        tunnel.send({ $case: 'data', value: Buffer.alloc(64 * KB, 'x') });
      return taken;
    };
    let before = -1;
    await until('nothing flows', async () => {
      const still = before === taken && taken > 0;
      before = taken;
      for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
      feed();
      return still;
    });
    expect(taken).toBeLessThan(size);
    let heard = 0;
    there.on('data', (chunk) => {
      heard += chunk.length;
    });
    there.resume();
    await until('all of it', () => feed() === size && heard === size);
    tunnel.send({ $case: 'dataEnd', value: {} });
    there.end();
    await served;
  });

  it('that cannot be made says why', async () => {
    const { answer } = await forward(1);
    expect(answer).toEqual({
      code: 400,
      message: 'failed to connect to localhost:1 inside the pod: connection refused',
    });
    expect((await forward(port, 'another')).answer).toEqual({ code: 404, message: 'the pod is not running' });
  });
});
