// One connection of a client to a port of a pod. Each half ends by itself.
import type { Socket } from 'node:net';
import type { PortForwardRequest } from '@fleetset/proto/gen/fleetset/v1/node';
import { HOLDER } from '@fleetset/scheduler-core/node/pod-record';
import { CannotDial, type PodDialer, type PodNetwork } from '../forward/pod-dialer.ts';
import type { ContainerRuntime } from '../runtime/container-runtime.ts';
import type { Tunnel } from './tunnel.ts';

export async function serveForward(
  runtime: ContainerRuntime,
  dialer: PodDialer,
  { podUid, port }: PortForwardRequest,
  tunnel: Tunnel,
): Promise<void> {
  const network = await networkOf(runtime, podUid);
  if (!network) return tunnel.answer(404, 'the pod is not running');
  let socket: Socket;
  try {
    socket = await dialer.dial(network, port);
  } catch (error) {
    if (error instanceof CannotDial) return tunnel.answer(400, error.message);
    throw error;
  }
  tunnel.answer(200);
  const failure = await relay(socket, tunnel).catch((error: NodeJS.ErrnoException) => error.message);
  if (!tunnel.signal.aborted)
    await tunnel.send({ $case: 'end', value: { exitCode: 0, failure: failure ?? '' } });
}

async function relay(socket: Socket, tunnel: Tunnel): Promise<undefined> {
  let broken: Error | undefined;
  socket.on('error', (error) => {
    broken = error;
  });
  const drop = () => void socket.destroy();
  tunnel.signal.addEventListener('abort', drop, { once: true });
  if (tunnel.signal.aborted) drop();
  try {
    await Promise.all([toClient(socket, tunnel), toPod(socket, tunnel)]);
    if (broken) throw broken;
  } finally {
    tunnel.signal.removeEventListener('abort', drop);
    drop();
  }
}

async function toClient(socket: Socket, tunnel: Tunnel): Promise<void> {
  for await (const data of socket.iterator({ destroyOnReturn: false })) await tunnel.sendData('data', data);
  await tunnel.send({ $case: 'dataEnd', value: {} });
}

async function toPod(socket: Socket, { input }: Tunnel): Promise<void> {
  // A pod that has closed the connection will never be done with what waits.
  socket.on('close', () => input.end());
  for await (const piece of input) {
    if (!socket.writable) continue;
    if (!socket.write(piece)) await drained(socket);
  }
  socket.end();
}

const drained = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    const go = () => {
      socket.off('drain', go);
      socket.off('close', go);
      resolve();
    };
    socket.on('drain', go);
    socket.on('close', go);
    if (socket.destroyed) go();
  });

/** Undefined when no container of the pod runs. */
async function networkOf(runtime: ContainerRuntime, podUid: string): Promise<PodNetwork | undefined> {
  const containers = (await runtime.list()).filter(
    ({ identity, state }) => identity.pod.uid === podUid && state === 'running',
  );
  const holder = containers.find(({ identity }) => identity.name === HOLDER);
  if (holder) return { holderId: holder.id, pid: await runtime.pid(holder.id), ip: holder.ip };
  return containers.length > 0 ? 'host' : undefined;
}
