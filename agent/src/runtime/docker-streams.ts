// What Docker tells as long as one listens: logs, and which containers changed.
import { utcTextWithMs } from '@fleetset/scheduler-core/utc-text';
import type Docker from 'dockerode';
import { OWNER_LABEL } from './container-labels.ts';
import type { EngineChange, EngineWatcher, LogOptions } from './container-runtime.ts';
import { asRuntimeError } from './engine-call.ts';
import { linesOf, logBytes } from './engine-stream.ts';

/** After a stream that was there at all the first is soon: an engine that goes again while nobody listens would not be
 *  seen to go. */
const EVENTS_RETRY_MS = { first: 50, most: 1000, afterMs: 100 };

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

interface EngineEvent {
  readonly Action?: string;
  readonly Actor?: { readonly ID?: string; readonly Attributes?: { readonly exitCode?: string } };
  readonly timeNano?: number;
}

export async function followEvents(
  docker: Docker,
  owner: string,
  signal: AbortSignal,
  { onOpen, onChange, onLost }: EngineWatcher,
): Promise<void> {
  const filters = {
    type: ['container'],
    label: [`${OWNER_LABEL}=${owner}`],
    event: ['die', 'start', 'destroy', 'oom', 'pause', 'unpause', 'rename'],
  };
  let retryMs = EVENTS_RETRY_MS.first;
  let everOpen = false;
  while (!signal.aborted) {
    let isAway = false;
    let openedAt = Number.POSITIVE_INFINITY;
    try {
      const stream = await docker.getEvents({ filters: JSON.stringify(filters), abortSignal: signal });
      everOpen = true;
      isAway = true;
      openedAt = performance.now();
      onOpen();
      onChange(undefined);
      for await (const line of linesOf(stream)) onChange(changeOf(JSON.parse(line)));
    } catch (error) {
      isAway ||= everOpen && asRuntimeError('events', error).kind === 'unreachable';
    }
    if (signal.aborted) return;
    if (isAway) onLost();
    onChange(undefined);
    if (performance.now() - openedAt > EVENTS_RETRY_MS.afterMs) retryMs = EVENTS_RETRY_MS.first;
    await new Promise((resolve) => setTimeout(resolve, retryMs));
    retryMs = Math.min(2 * retryMs, EVENTS_RETRY_MS.most);
  }
}

function changeOf({ Action, Actor, timeNano }: EngineEvent): EngineChange | undefined {
  const id = Actor?.ID;
  if (id === undefined) return undefined;
  if (Action === 'destroy') return { id, what: 'gone' };
  const exitCode = Number(Actor?.Attributes?.exitCode ?? Number.NaN);
  if (Action !== 'die' || !Number.isInteger(exitCode) || timeNano === undefined) return { id, what: 'other' };
  return { id, what: 'ended', exitCode, at: utcTextWithMs(timeNano / 1e6) };
}
