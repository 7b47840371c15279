// Serves one request of the plane over a stream of its own, so that the sync stream never waits behind it.
import type { OpenTunnel } from '@fleetset/proto/gen/fleetset/v1/node';
import type { PodDialer } from '../forward/pod-dialer.ts';
import type { ContainerRuntime } from '../runtime/container-runtime.ts';
import { serveAttach, serveExec } from './command-tunnel.ts';
import { serveForward } from './forward-tunnel.ts';
import { serveLogs, type WaitingContainer } from './log-tunnel.ts';
import type { PlaneClient } from './plane-client.ts';
import { openTunnel, type Tunnel } from './tunnel.ts';

export interface TunnelParts {
  readonly client: PlaneClient;
  readonly runtime: ContainerRuntime;
  readonly dialer: PodDialer;
  readonly waiting: WaitingContainer;
  readonly signal: AbortSignal;
}

export async function serveTunnel(parts: TunnelParts, { tunnelId, request }: OpenTunnel): Promise<void> {
  const tunnel = openTunnel(parts.client, tunnelId, parts.signal);
  try {
    await serve(parts, request, tunnel);
  } catch (error) {
    if (!tunnel.signal.aborted) tunnel.answer(500, (error as Error).message);
  } finally {
    tunnel.end();
  }
}

async function serve(
  { runtime, dialer, waiting }: TunnelParts,
  request: OpenTunnel['request'],
  tunnel: Tunnel,
): Promise<void> {
  switch (request?.$case) {
    case 'logs':
      return serveLogs(runtime, waiting, request.value, tunnel);
    case 'exec':
      return serveExec(runtime, request.value, tunnel);
    case 'attach':
      return serveAttach(runtime, request.value, tunnel);
    case 'portForward':
      return serveForward(runtime, dialer, request.value, tunnel);
    default:
      tunnel.answer(400, 'the agent does not know this kind of request: it is older than the plane');
  }
}
