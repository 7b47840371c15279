// Serves one request for a container's log. The plane's reading pace is the engine's.
import type { LogsRequest } from '@fleetset/proto/gen/fleetset/v1/node';
import type { ContainerRuntime, RuntimeContainer } from '../runtime/container-runtime.ts';
import type { Tunnel } from './tunnel.ts';

/** Of a container that has no log yet: its pod's name, and what it waits for. */
export type WaitingContainer = (
  podUid: string,
  container: string,
) => { readonly podName: string; readonly reason: string };

export async function serveLogs(
  runtime: ContainerRuntime,
  waiting: WaitingContainer,
  request: LogsRequest,
  tunnel: Tunnel,
): Promise<void> {
  const found = findContainer(await runtime.list(), waiting, request);
  if (typeof found === 'string') return tunnel.answer(400, found);
  const since = sinceOf(request);
  const data = await runtime.logs(
    found.id,
    {
      follow: request.follow,
      timestamps: request.timestamps,
      ...(request.tailLines === undefined ? {} : { tailLines: request.tailLines }),
      ...(since === undefined ? {} : { since }),
    },
    tunnel.signal,
  );
  tunnel.answer(200);
  let left = request.limitBytes ?? Number.POSITIVE_INFINITY;
  try {
    for await (const chunk of data) {
      const piece = chunk.subarray(0, left);
      left -= piece.length;
      await tunnel.sendData('data', piece);
      if (left <= 0 || tunnel.signal.aborted) return;
    }
  } catch (error) {
    if (!tunnel.signal.aborted) throw error;
  }
}

/** The container whose log is meant, or why there is none, as Kubernetes says it. */
function findContainer(
  containers: readonly RuntimeContainer[],
  waiting: WaitingContainer,
  request: LogsRequest,
): RuntimeContainer | string {
  const attempts = containers
    .filter(({ identity }) => identity.pod.uid === request.podUid && identity.name === request.container)
    .filter(({ state }) => state !== 'created')
    .sort((a, b) => b.identity.attempt - a.identity.attempt);
  // One that has ended and waits for its next start is the previous one already.
  const previous = attempts[0]?.state === 'exited' ? attempts[0] : attempts[1];
  const found = request.previous ? previous : attempts[0];
  if (found) return found;
  const { podName, reason } = waiting(request.podUid, request.container);
  const named = `container "${request.container}" in pod "${podName}"`;
  return request.previous
    ? `previous terminated ${named} not found`
    : `${named} is waiting to start: ${reason}`;
}

/** "since" by the node's own clock. */
function sinceOf({ sinceSeconds, sinceTime }: LogsRequest): number | undefined {
  if (sinceSeconds !== undefined) return Math.floor(Date.now() / 1000) - sinceSeconds;
  return sinceTime === '' ? undefined : Date.parse(sinceTime) / 1000;
}
