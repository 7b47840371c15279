// The client's end of exec and attach, however it is connected.
import type { TerminalSize } from '@fleetset/proto/gen/fleetset/v1/node';

export interface StreamsAsked {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

export interface CommandClient {
  /** Up to where the client ended it; fails when the client has left. */
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly onResize: (resize: (size: TerminalSize) => void) => void;
  /** Resolves when more may be written. */
  readonly write: (stream: 'stdout' | 'stderr', data: Uint8Array) => Promise<void>;
  /** Says how it ended, and closes. */
  readonly finish: (status: object) => Promise<void>;
  readonly gone: AbortSignal;
}

/** In Kubernetes' order of preference; what is older lacks exit codes. */
export const COMMAND_PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];

const SIDE_LIMIT = 65_535;
const SIZE_LIMIT_BYTES = 1024;

/** Sizes as JSON objects, cut anywhere. What is no size says nothing. */
export function createSizeReader(onSize: (size: TerminalSize) => void): (data: Uint8Array) => void {
  let rest = '';
  return (data) => {
    rest = (rest + Buffer.from(data).toString('latin1')).slice(-SIZE_LIMIT_BYTES);
    const whole = rest.match(/\{[^{}]*\}/g) ?? [];
    rest = rest.slice(rest.lastIndexOf('}') + 1);
    const size = whole.map(sizeIn).findLast((found) => found !== undefined);
    if (size) onSize(size);
  };
}

function sizeIn(text: string): TerminalSize | undefined {
  try {
    const { Width: width, Height: height } = JSON.parse(text) as { Width?: unknown; Height?: unknown };
    return isSide(width) && isSide(height) ? { width, height } : undefined;
  } catch {
    return undefined;
  }
}

const isSide = (side: unknown): side is number =>
  typeof side === 'number' && Number.isInteger(side) && side > 0 && side <= SIDE_LIMIT;
