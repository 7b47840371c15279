// The agent's end of a tunnel: dials when it is asked to, answers, and sends what the test wants it to.
import type { CarryRequest, CarryResponse, LogsRequest } from '@fleetset/proto/gen/fleetset/v1/node';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { HollowStream } from './hollow-agent.ts';
import { until } from './until.ts';

export interface HollowTunnel {
  readonly request: LogsRequest;
  readonly answer: (code: number, message?: string) => void;
  /** Resolves when the stream has taken it. */
  readonly send: (data: Uint8Array) => Promise<void>;
  readonly finish: () => void;
  /** Breaks off, as an agent that dies does. */
  readonly abort: () => void;
  readonly ended: () => boolean;
}

/** The next request for a log that the plane makes on this stream, not dialled yet. */
export async function nextLogRequest(
  stream: HollowStream,
  known = 0,
): Promise<{ readonly request: LogsRequest; readonly dial: (tunnelId?: string) => HollowTunnel }> {
  const asked = await until('the plane asks for a log', () => {
    const requests = stream.heard.flatMap((message) =>
      message.$case === 'openTunnel' ? [message.value] : [],
    );
    return requests[known];
  });
  const request = asked.request?.value as LogsRequest;
  return { request, dial: (tunnelId = asked.tunnelId) => openTunnel(stream.carry(), request, tunnelId) };
}

export async function serveNextLog(stream: HollowStream, known = 0): Promise<HollowTunnel> {
  return (await nextLogRequest(stream, known)).dial();
}

export function openTunnel(
  call: ClientDuplexStream<CarryRequest, CarryResponse>,
  request: LogsRequest,
  tunnelId: string,
): HollowTunnel {
  let ended = false;
  const end = () => {
    ended = true;
  };
  call.on('error', end);
  call.on('end', end);
  call.on('close', end);
  call.resume();
  call.write({ frame: { $case: 'tunnelId', value: tunnelId } });
  return {
    request,
    answer: (code, message = '') => void call.write({ frame: { $case: 'answer', value: { code, message } } }),
    send: (data) =>
      new Promise((resolve, reject) => {
        call.write({ frame: { $case: 'data', value: Buffer.from(data) } }, (error?: Error | null) =>
          error ? reject(error) : resolve(),
        );
      }),
    finish: () => call.end(),
    abort: () => call.cancel(),
    ended: () => ended,
  };
}
