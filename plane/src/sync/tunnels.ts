// Bulk from an agent: the plane asks over the sync stream, the agent dials a stream of its own, and the two are
// joined here by an id that only they know.
import { randomUUID } from 'node:crypto';
import type { CarryRequest, CarryResponse, OpenTunnel } from '@fleetset/proto/gen/fleetset/v1/node';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { ApiError, unavailable } from '../api/api-error.ts';
import type { Fleet } from '../fleet/fleet.ts';

export type TunnelCall = ServerDuplexStream<CarryRequest, CarryResponse>;

/** An answered request: what follows is its data. Reading slowly holds the agent back. */
export interface Tunnel {
  readonly data: AsyncIterable<Uint8Array>;
  readonly close: () => void;
}

export interface Tunnels {
  /** Rejects with an ApiError: the agent's refusal, or that it cannot be reached. */
  readonly open: (
    nodeName: string,
    request: NonNullable<OpenTunnel['request']>,
    signal: AbortSignal,
  ) => Promise<Tunnel>;
  /** A stream that an agent dialled. */
  readonly accept: (call: TunnelCall, nodeName: string) => void;
}

const DIAL_TIMEOUT_MS = 10_000;

interface Expected {
  readonly nodeName: string;
  readonly arrived: (call: TunnelCall) => void;
}

export function createTunnels(fleet: Fleet): Tunnels {
  const expected = new Map<string, Expected>();
  return {
    open: async (nodeName, request, signal) => {
      const session = fleet.get(nodeName)?.session;
      if (!session) throw unavailable(`the agent of node ${nodeName} is not connected`);
      const tunnelId = randomUUID();
      const arrival = new Promise<TunnelCall>((resolve, reject) => {
        const timer = setTimeout(
          () => reject(unavailable(`node ${nodeName} did not answer in time`)),
          DIAL_TIMEOUT_MS,
        );
        expected.set(tunnelId, {
          nodeName,
          arrived: (call) => {
            clearTimeout(timer);
            resolve(call);
          },
        });
      });
      try {
        session.send({ $case: 'openTunnel', value: { tunnelId, request } });
        return await answered(await arrival, signal);
      } finally {
        expected.delete(tunnelId);
      }
    },
    accept: (call, nodeName) => {
      call.once('data', (first: CarryRequest) => {
        const id = first.frame?.$case === 'tunnelId' ? first.frame.value : '';
        const waiting = expected.get(id);
        call.pause();
        if (waiting?.nodeName === nodeName) waiting.arrived(call);
        else call.end();
      });
      call.on('error', () => {});
    },
  };
}

async function answered(call: TunnelCall, signal: AbortSignal): Promise<Tunnel> {
  const close = () => call.end();
  signal.addEventListener('abort', close, { once: true });
  call.once('close', () => signal.removeEventListener('abort', close));
  const frames = call[Symbol.asyncIterator]() as AsyncIterator<CarryRequest>;
  const first = await frames.next().catch(() => ({ done: true as const, value: undefined }));
  const frame = first.done ? undefined : first.value.frame;
  if (frame?.$case !== 'answer') {
    close();
    throw unavailable('the agent closed the stream without an answer');
  }
  const { code, message } = frame.value;
  if (code !== 200) {
    close();
    throw new ApiError(
      code,
      code === 404 ? 'NotFound' : code === 400 ? 'BadRequest' : 'InternalError',
      message,
    );
  }
  return { data: dataOf(frames), close };
}

async function* dataOf(frames: AsyncIterator<CarryRequest>): AsyncIterable<Uint8Array> {
  for (;;) {
    const next = await frames.next();
    if (next.done) return;
    if (next.value.frame?.$case === 'data') yield next.value.frame.value;
  }
}
