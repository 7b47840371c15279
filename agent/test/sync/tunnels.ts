// Requests of a scripted plane to an agent's tunnels, with the plane's end of each.
import type { OpenTunnel } from '@fleetset/proto/gen/fleetset/v1/node';
import { onTestFinished } from 'vitest';
import { createPodDialer } from '../../src/forward/pod-dialer.ts';
import type { ContainerRuntime } from '../../src/runtime/container-runtime.ts';
import type { PlaneClient } from '../../src/sync/plane-client.ts';
import { serveTunnel } from '../../src/sync/serve-tunnel.ts';
import type { ScriptedPlane, Tunnel } from '../scripted-plane.ts';
import { until } from '../wait-until.ts';

let opened = 0;

export interface OpenedTunnel {
  readonly tunnel: Tunnel;
  readonly served: Promise<void>;
  readonly stopping: AbortController;
}

export async function openTunnelTo(
  plane: ScriptedPlane,
  client: PlaneClient,
  runtime: ContainerRuntime,
  request: OpenTunnel['request'],
): Promise<OpenedTunnel> {
  opened += 1;
  const index = plane.tunnels.length;
  const stopping = new AbortController();
  const dialer = createPodDialer();
  onTestFinished(() => {
    stopping.abort();
    dialer.close();
  });
  const served = serveTunnel(
    {
      client,
      runtime,
      dialer,
      waiting: () => ({ podName: 'web-abcde', reason: 'ImagePullBackOff' }),
      signal: stopping.signal,
    },
    { tunnelId: `tunnel-${opened}`, request },
  );
  const tunnel = await until('the tunnel is open', () => plane.tunnels[index]);
  return { tunnel, served, stopping };
}

export const framesOf = ({ frames }: Tunnel, kind: Tunnel['frames'][number]['$case']) =>
  frames.filter(({ $case }) => $case === kind).map(({ value }) => value as never);

export const answerOf = (tunnel: Tunnel): { readonly code: number; readonly message: string } | undefined =>
  framesOf(tunnel, 'answer')[0];
