// Connections into the network of a pod: also to what listens on its localhost alone.
import type { Socket } from 'node:net';
import { HOLDER } from '@fleetset/scheduler-core/node/pod-record';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createPodDialer, type PodNetwork } from '../../src/forward/pod-dialer.ts';
import type { ContainerRuntime } from '../../src/runtime/container-runtime.ts';
import { createDockerRuntime } from '../../src/runtime/docker-runtime.ts';
import { removeContainersOf } from '../docker-engine.ts';
import { DOCKER_SOCKET } from '../engine-proxy.ts';
import { podRecord, settings, uniqueOwner } from '../pods.ts';
import { OBEYS } from '../test-programs.ts';
import { until } from '../wait-until.ts';

const owner = uniqueOwner();
const dialer = createPodDialer();
let runtime: ContainerRuntime;
let network: Exclude<PodNetwork, 'host'>;

beforeAll(async () => {
  runtime = createDockerRuntime({ socketPath: DOCKER_SOCKET, owner });
  const pod = podRecord();
  // Of the test's image, so that the holder's own is left to others.
  const identity = { pod, name: HOLDER, attempt: 0 };
  const holder = await runtime.create(
    settings({ command: ['sleep', '100000'] }, { identity, network: 'own' }),
  );
  await runtime.start(holder);
  // A page on its localhost alone, and a port on all addresses that says how much it was sent.
  const script = `mkdir /www; echo inside > /www/index.html; httpd -p 127.0.0.1:9000 -h /www
    nc -ll -p 9001 -e wc -c & ${OBEYS.command[2]}`;
  const app = await runtime.create(
    settings(
      { command: ['sh', '-c', script] },
      { identity: { pod, name: 'app', attempt: 0, holderAttempt: 0 }, network: { holderId: holder } },
    ),
  );
  await runtime.start(app);
  const ip = (await runtime.list()).find(({ id }) => id === holder)?.ip;
  network = { holderId: holder, pid: await runtime.pid(holder), ip };
  await until('it listens', async () =>
    (await runtime.exec(app, ['netstat', '-ltn'], 60_000)).output.includes(':9001'),
  );
});
afterAll(async () => {
  dialer.close();
  await removeContainersOf(owner);
});

async function answer(socket: Socket, question: string): Promise<string> {
  socket.end(question);
  let text = '';
  for await (const chunk of socket) text += chunk;
  return text.trim();
}

const GET = 'GET /index.html HTTP/1.0\r\n\r\n';

it('reaches what listens on the localhost of the pod', async () => {
  const page = await answer(await dialer.dial(network, 9000), GET);
  expect(page).toMatch(/^HTTP\/1\.. 200 OK.*inside$/s);
});

it('ends each half by itself', async () => {
  expect(await answer(await dialer.dial(network, 9001), 'x'.repeat(300_000))).toBe('300000');
});

it('makes several connections at once', async () => {
  const dialled = await Promise.all(Array.from({ length: 8 }, () => dialer.dial(network, 9000)));
  const pages = await Promise.all(dialled.map((socket) => answer(socket, GET)));
  for (const page of pages) expect(page).toMatch(/inside$/);
});

it('says that nobody listens', async () => {
  await expect(dialer.dial(network, 81)).rejects.toThrow(
    'failed to connect to localhost:81 inside the pod: connection refused',
  );
});

it('that cannot enter the network dials the address of the pod, where not all listen', async () => {
  const outside = { ...network, pid: undefined };
  expect(await answer(await dialer.dial(outside, 9001), 'four')).toBe('4');
  await expect(dialer.dial(outside, 9000)).rejects.toThrow('connection refused');
  // Another process has the number now.
  expect(await answer(await dialer.dial({ ...network, pid: process.pid }, 9001), 'four')).toBe('4');
});
