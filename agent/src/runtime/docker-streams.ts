// What Docker tells as long as one listens: logs, and which containers changed.
import type Docker from 'dockerode';
import { OWNER_LABEL } from './container-labels.ts';
import type { LogOptions } from './container-runtime.ts';
import { asRuntimeError } from './engine-call.ts';
import { linesOf, logBytes } from './engine-stream.ts';

const EVENTS_RETRY_MS = 1000;

export async function readLogs(
  docker: Docker,
  id: string,
  options: LogOptions,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  try {
    const container = docker.getContainer(id);
    const { Config } = await container.inspect();
    const source = await logStream(docker, id, options, signal);
    return logBytes(source, Config.Tty, options.timestamps);
  } catch (error) {
    throw asRuntimeError('read logs', error);
  }
}

/** dockerode would read a log that is not followed into memory as a whole. */
function logStream(
  docker: Docker,
  id: string,
  { follow, timestamps, tailLines, since }: LogOptions,
  signal: AbortSignal,
): Promise<NodeJS.ReadableStream> {
  const options = {
    follow,
    timestamps,
    stdout: true,
    stderr: true,
    ...(tailLines === undefined ? {} : { tail: tailLines }),
    ...(since === undefined ? {} : { since }),
  };
  return new Promise((resolve, reject) => {
    docker.modem.dial(
      {
        path: `/containers/${id}/logs?`,
        method: 'GET',
        isStream: true,
        abortSignal: signal,
        statusCodes: { 200: true, 101: true, 404: 'no such container', 500: 'server error' },
        options,
      },
      (error, stream) => (error ? reject(error) : resolve(stream as NodeJS.ReadableStream)),
    );
  });
}

export interface EventReader {
  /** The container that it is about; undefined when the stream began anew and anything may have been missed. */
  readonly onEvent: (id: string | undefined) => void;
  /** The stream that was open has ended. */
  readonly onLost: () => void;
}

export async function followEvents(
  docker: Docker,
  owner: string,
  signal: AbortSignal,
  { onEvent, onLost }: EventReader,
): Promise<void> {
  const filters = {
    type: ['container'],
    label: [`${OWNER_LABEL}=${owner}`],
    event: ['die', 'start', 'destroy', 'oom', 'pause', 'unpause', 'rename'],
  };
  while (!signal.aborted) {
    let open = false;
    try {
      const stream = await docker.getEvents({ filters: JSON.stringify(filters), abortSignal: signal });
      open = true;
      onEvent(undefined);
      for await (const line of linesOf(stream)) {
        const { Actor, id } = JSON.parse(line) as { Actor?: { ID?: string }; id?: string };
        onEvent(Actor?.ID ?? id);
      }
    } catch {
      // The engine is away: every look says so, and the stream is tried again below.
    }
    if (signal.aborted) return;
    if (open) onLost();
    onEvent(undefined);
    await new Promise((resolve) => setTimeout(resolve, EVENTS_RETRY_MS));
  }
}
