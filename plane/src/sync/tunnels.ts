// Bulk from an agent: the plane asks over the sync stream, the agent dials a stream of its own, and the two are
// joined here by an id that only they know.
import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type {
  CarryRequest,
  CarryResponse,
  OpenTunnel,
  TerminalSize,
} from '@fleetset/proto/gen/fleetset/v1/node';
import { piecesOf, TUNNEL_WINDOW_BYTES } from '@fleetset/proto/tunnel-window';
import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import { ApiError, unavailable } from '../api/api-error.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { endCall } from './serve-sync.ts';

export type TunnelCall = ServerDuplexStream<CarryRequest, CarryResponse>;

export type TunnelFrame = NonNullable<CarryRequest['frame']>;

/** An answered request: what follows is its data. Reading slowly holds the agent back. */
export interface Tunnel {
  /** All that the agent sends; fails when it breaks off. */
  readonly frames: AsyncIterable<TunnelFrame>;
  /** What may be done is done: the client is there. */
  readonly begin: () => void;
  /** Resolves when more may be sent: the agent takes no more than it passes on. Fails when it is gone. */
  readonly sendData: (data: Uint8Array) => Promise<void>;
  readonly endData: () => void;
  readonly resize: (size: TerminalSize) => void;
  readonly close: () => void;
}

export interface Tunnels {
  /** Fails with an ApiError when the node's agent is not connected. */
  readonly require: (nodeName: string) => void;
  /** Rejects with an ApiError: the agent's refusal, or that it cannot be reached. */
  readonly open: (
    nodeName: string,
    request: NonNullable<OpenTunnel['request']>,
    signal: AbortSignal,
  ) => Promise<Tunnel>;
  /** A stream that an agent dialled. */
  readonly accept: (call: TunnelCall, nodeName: string) => void;
}

/** Milliseconds. */
export interface TunnelLimits {
  /** For an agent to dial after it was asked, and to say what for after it dialled. */
  readonly dialMs: number;
  /** For an agent to answer what it was asked: a slow engine has its time. */
  readonly answerMs: number;
  /** For an exec, an attach or a forwarded connection in which nobody says anything; as long as a kubelet waits. A log
   *  may be silent for ever. */
  readonly idleMs: number;
}

export const TUNNEL_LIMITS: TunnelLimits = { dialMs: 10_000, answerMs: 120_000, idleMs: 4 * 3_600_000 };

interface Expected {
  readonly nodeName: string;
  readonly arrived: (call: TunnelCall) => void;
}

export function createTunnels(fleet: Fleet, limits: TunnelLimits = TUNNEL_LIMITS): Tunnels {
  const expected = new Map<string, Expected>();
  const sessionOf = (nodeName: string) => {
    const session = fleet.get(nodeName)?.session;
    if (!session) throw unavailable(`the agent of node ${nodeName} is not connected`);
    return session;
  };
  return {
    require: (nodeName) => void sessionOf(nodeName),
    open: async (nodeName, request, signal) => {
      const session = sessionOf(nodeName);
      const tunnelId = randomUUID();
      try {
        session.send({ $case: 'openTunnel', value: { tunnelId, request } });
        const giveUp = AbortSignal.any([signal, session.gone]);
        const call = await dialled(expected, tunnelId, nodeName, giveUp, limits.dialMs);
        return await answered(call, nodeName, signal, {
          answerMs: limits.answerMs,
          idleMs: request.$case === 'logs' ? undefined : limits.idleMs,
        });
      } finally {
        expected.delete(tunnelId);
      }
    },
    accept: (call, nodeName) => {
      const late = setTimeout(() => endCall(call, status.DEADLINE_EXCEEDED, 'no id came'), limits.dialMs);
      call.once('close', () => clearTimeout(late));
      call.once('data', (first: CarryRequest) => {
        clearTimeout(late);
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

/** The stream that the agent dials. `giveUp`: nobody asks any more, or nobody can answer. */
function dialled(
  expected: Map<string, Expected>,
  tunnelId: string,
  nodeName: string,
  giveUp: AbortSignal,
  dialMs: number,
): Promise<TunnelCall> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      clearTimeout(timer);
      giveUp.removeEventListener('abort', leave);
      act();
    };
    const fail = (why: string) => settle(() => reject(unavailable(why)));
    const leave = () => fail(`the agent of node ${nodeName} is not connected any more`);
    const timer = setTimeout(fail, dialMs, `node ${nodeName} did not answer in time`);
    if (giveUp.aborted) return leave();
    giveUp.addEventListener('abort', leave, { once: true });
    expected.set(tunnelId, { nodeName, arrived: (call) => settle(() => resolve(call)) });
  });
}

/** Of an agent's refusal; what is no such code is its mistake. */
const REASONS: { readonly [code: number]: string } = {
  400: 'BadRequest',
  404: 'NotFound',
  500: 'InternalError',
  503: 'ServiceUnavailable',
};

async function answered(
  call: TunnelCall,
  nodeName: string,
  signal: AbortSignal,
  { answerMs, idleMs }: { readonly answerMs: number; readonly idleMs: number | undefined },
): Promise<Tunnel> {
  const close = () => call.end();
  if (signal.aborted) close();
  signal.addEventListener('abort', close, { once: true });
  call.once('close', () => signal.removeEventListener('abort', close));
  const frames = call[Symbol.asyncIterator]() as AsyncIterator<CarryRequest>;
  let isLate = false;
  const late = setTimeout(() => {
    isLate = true;
    endCall(call, status.DEADLINE_EXCEEDED, 'no answer came');
  }, answerMs);
  const first = await frames.next().catch(() => ({ done: true as const, value: undefined }));
  clearTimeout(late);
  if (isLate) throw unavailable(`node ${nodeName} did not answer in time`);
  const frame = first.done ? undefined : first.value.frame;
  if (frame?.$case !== 'answer') {
    close();
    throw unavailable('the agent closed the stream without an answer');
  }
  const { code, message } = frame.value;
  if (code !== 200) {
    close();
    const reason = REASONS[code];
    throw new ApiError(reason ? code : 500, reason ?? 'InternalError', message);
  }
  return tunnelOver(call, frames, nodeName, close, idleMs);
}

function tunnelOver(
  call: TunnelCall,
  frames: AsyncIterator<CarryRequest>,
  nodeName: string,
  close: () => void,
  idleMs: number | undefined,
): Tunnel {
  let isIdle = false;
  const brokeOff = () =>
    unavailable(
      isIdle ? 'nothing was said for too long' : `the connection to the agent of node ${nodeName} was lost`,
    );
  let underWay = 0;
  let over = false;
  let room = () => {};
  const idle =
    idleMs === undefined
      ? undefined
      : setTimeout(() => {
          isIdle = true;
          endCall(call, status.DEADLINE_EXCEEDED, 'nothing was said for too long');
        }, idleMs).unref();
  call.once('close', () => {
    clearTimeout(idle);
    over = true;
    room();
  });
  const send = (frame: NonNullable<CarryResponse['frame']>) => {
    idle?.refresh();
    if (!over) call.write({ frame });
  };

  async function* read(): AsyncIterable<TunnelFrame> {
    for (;;) {
      const next = await frames.next().catch((error: unknown) => {
        throw isIdle ? brokeOff() : error;
      });
      if (next.done) {
        if ((await wasBrokenOff(call)) || isIdle) throw brokeOff();
        return;
      }
      idle?.refresh();
      const { frame } = next.value;
      if (frame?.$case === 'taken') {
        underWay -= frame.value;
        room();
      } else if (frame) yield frame;
    }
  }

  return {
    frames: read(),
    begin: () => send({ $case: 'begin', value: {} }),
    sendData: async (data) => {
      for (const piece of piecesOf(data)) {
        while (!over && underWay + piece.length > TUNNEL_WINDOW_BYTES)
          await new Promise<void>((resolve) => {
            room = resolve;
          });
        if (over) throw brokeOff();
        underWay += piece.length;
        send({ $case: 'data', value: piece });
      }
    },
    endData: () => send({ $case: 'dataEnd', value: {} }),
    resize: (value) => send({ $case: 'resize', value }),
    close: () => {
      over = true;
      room();
      close();
    },
  };
}

/** More turns of the event loop than Node takes, at most two, to close a stream whose end it has shown. */
const CLOSING_TURNS = 20;

/** A stream that was broken off shows its end first, as one that was ended does, and what it was some moments after. To
 *  the library each stream that has closed is cancelled, but none closes well before the plane ends it, too. */
async function wasBrokenOff(call: TunnelCall): Promise<boolean> {
  for (let turn = 0; turn < CLOSING_TURNS && !call.cancelled; turn++) await setImmediate();
  return call.cancelled;
}

/** What a log consists of. */
export async function* dataOf({ frames }: Tunnel): AsyncIterable<Uint8Array> {
  for await (const frame of frames) if (frame.$case === 'data') yield frame.value;
}
