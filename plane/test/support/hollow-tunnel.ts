// The agent's end of an exec, an attach or a forwarded connection: dials when it is asked to, and does what the test
// lets it do.
import type { CarryRequest, CarryResponse, OpenTunnel } from '@fleetset/proto/gen/fleetset/v1/node';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { HollowStream } from './hollow-agent.ts';
import { until } from './until.ts';

type Request = NonNullable<OpenTunnel['request']>;
type Heard = NonNullable<CarryResponse['frame']>;

export interface AgentEnd {
  readonly request: Request;
  readonly answer: (code: number, message?: string) => void;
  /** Resolves when the stream has taken it. */
  readonly send: (frame: NonNullable<CarryRequest['frame']>) => Promise<void>;
  readonly heard: readonly Heard[];
  /** All data heard, as text. */
  readonly text: () => string;
  readonly has: (kind: Heard['$case']) => boolean;
  readonly finish: () => void;
  /** Breaks off, as an agent that dies does. */
  readonly abort: () => void;
  readonly ended: () => boolean;
}

const tunnelsAsked = (stream: HollowStream): OpenTunnel[] =>
  stream.heard.flatMap((message) => (message.$case === 'openTunnel' ? [message.value] : []));

/** How many requests the plane has made on this stream. */
export const tunnelCount = (stream: HollowStream): number => tunnelsAsked(stream).length;

export async function nextTunnel(stream: HollowStream, known: number): Promise<AgentEnd> {
  const { tunnelId, request } = await until('the plane asks', () => tunnelsAsked(stream)[known]);
  return dial(stream.carry(), tunnelId, request as Request);
}

function dial(
  call: ClientDuplexStream<CarryRequest, CarryResponse>,
  tunnelId: string,
  request: Request,
): AgentEnd {
  const heard: Heard[] = [];
  let ended = false;
  const end = () => {
    ended = true;
  };
  call.on('error', end);
  call.on('end', end);
  call.on('close', end);
  call.on('data', ({ frame }: CarryResponse) => {
    if (frame) heard.push(frame);
  });
  const send: AgentEnd['send'] = (frame) =>
    new Promise((resolve, reject) => {
      call.write({ frame }, (error?: Error | null) => (error ? reject(error) : resolve()));
    });
  void send({ $case: 'tunnelId', value: tunnelId });
  return {
    request,
    answer: (code, message = '') => void send({ $case: 'answer', value: { code, message } }).catch(() => {}),
    send,
    heard,
    text: () =>
      Buffer.concat(heard.flatMap((frame) => (frame.$case === 'data' ? [frame.value] : []))).toString(
        'latin1',
      ),
    has: (kind) => heard.some(({ $case }) => $case === kind),
    finish: () => call.end(),
    abort: () => call.cancel(),
    ended: () => ended,
  };
}
