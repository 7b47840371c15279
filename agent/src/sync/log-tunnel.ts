// Serves one request for a container's log over a stream of its own. The plane's reading pace is the engine's.
import type { LogsRequest, OpenTunnel } from '@fleetset/proto/gen/fleetset/v1/node';
import type { ContainerRuntime, RuntimeContainer } from '../runtime/container-runtime.ts';
import type { CarryStream, PlaneClient } from './plane-client.ts';

export interface TunnelParts {
  readonly client: PlaneClient;
  readonly runtime: ContainerRuntime;
  readonly signal: AbortSignal;
}

export async function serveTunnel(parts: TunnelParts, { tunnelId, request }: OpenTunnel): Promise<void> {
  const stream = parts.client.carry();
  const closed = new AbortController();
  stream.on('error', () => closed.abort());
  stream.on('end', () => closed.abort());
  stream.on('close', () => closed.abort());
  stream.resume();
  stream.write({ frame: { $case: 'tunnelId', value: tunnelId } });
  const signal = AbortSignal.any([parts.signal, closed.signal]);
  try {
    if (request?.$case === 'logs') await serveLogs(parts.runtime, request.value, stream, signal);
    else answer(stream, 400, 'the agent does not know this kind of request: it is older than the plane');
  } catch (error) {
    if (!signal.aborted) answer(stream, 500, (error as Error).message);
  } finally {
    stream.end();
  }
}

const answer = (stream: CarryStream, code: number, message: string): void =>
  void stream.write({ frame: { $case: 'answer', value: { code, message } } });

async function serveLogs(
  runtime: ContainerRuntime,
  request: LogsRequest,
  stream: CarryStream,
  signal: AbortSignal,
): Promise<void> {
  const found = findContainer(await runtime.list(), request);
  if (typeof found === 'string') return answer(stream, 400, found);
  const since = sinceOf(request);
  const data = await runtime.logs(
    found.id,
    {
      follow: request.follow,
      timestamps: request.timestamps,
      ...(request.tailLines === undefined ? {} : { tailLines: request.tailLines }),
      ...(since === undefined ? {} : { since }),
    },
    signal,
  );
  answer(stream, 200, '');
  let left = request.limitBytes ?? Number.POSITIVE_INFINITY;
  try {
    for await (const chunk of data) {
      const piece = Buffer.from(chunk.subarray(0, left));
      left -= piece.length;
      if (!stream.write({ frame: { $case: 'data', value: piece } })) await drained(stream, signal);
      if (left <= 0 || signal.aborted) return;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** The container whose log is meant, or why there is none, as Kubernetes says it. */
function findContainer(
  containers: readonly RuntimeContainer[],
  request: LogsRequest,
): RuntimeContainer | string {
  const attempts = containers
    .filter(({ identity }) => identity.pod.uid === request.podUid && identity.name === request.container)
    .filter(({ state }) => state !== 'created')
    .sort((a, b) => b.identity.attempt - a.identity.attempt);
  const podName =
    containers.find(({ identity }) => identity.pod.uid === request.podUid)?.identity.pod.name ?? '';
  if (request.previous)
    return (
      attempts[1] ?? `previous terminated container "${request.container}" in pod "${podName}" not found`
    );
  return (
    attempts[0] ??
    `container "${request.container}" in pod "${podName}" is waiting to start: ContainerCreating`
  );
}

/** "since" by the node's own clock. */
function sinceOf({ sinceSeconds, sinceTime }: LogsRequest): number | undefined {
  if (sinceSeconds !== undefined) return Math.floor(Date.now() / 1000) - sinceSeconds;
  return sinceTime === '' ? undefined : Date.parse(sinceTime) / 1000;
}

const drained = (stream: CarryStream, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const go = () => {
      stream.off('drain', go);
      signal.removeEventListener('abort', go);
      resolve();
    };
    stream.once('drain', go);
    signal.addEventListener('abort', go, { once: true });
  });
