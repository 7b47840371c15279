// An agent's stream to a plane that only listens: what its node is told, as it comes.
import { randomUUID } from 'node:crypto';
import { NodeServiceClient } from '@fleetset/proto/gen/fleetset/v1/node';
import { credentials } from '@grpc/grpc-js';
import type { Credentials } from './api-process.ts';

export interface AgentEar {
  /** Resolves when the node is told this label. */
  readonly untilLabel: (key: string, value: string) => Promise<void>;
  readonly close: () => void;
}

const SERVER_NAME = 'plane.fleetset.internal';

export async function listenAsAgent(port: number, { ca, key, cert }: Credentials): Promise<AgentEar> {
  const secure = credentials.createSsl(Buffer.from(ca), Buffer.from(key), Buffer.from(cert));
  const client = new NodeServiceClient(`127.0.0.1:${port}`, secure, {
    'grpc.ssl_target_name_override': SERVER_NAME,
    'grpc.default_authority': SERVER_NAME,
  });
  const call = client.sync();
  const waits = new Map<string, () => void>();
  const first = Promise.withResolvers<void>();
  call.on('error', (error: Error) => first.reject(error));
  call.on('data', ({ message }) => {
    if (message?.$case !== 'desired') return;
    first.resolve();
    for (const [key, value] of Object.entries(message.value.labels)) waits.get(`${key}=${value}`)?.();
  });
  call.write({
    message: {
      $case: 'hello',
      value: {
        protocol: 1,
        agentVersion: 'bench',
        instanceId: randomUUID(),
        machineId: 'bench',
        accepted: undefined,
        held: undefined,
      },
    },
  });
  await first.promise;
  return {
    untilLabel: (key, value) => new Promise((resolve) => waits.set(`${key}=${value}`, resolve)),
    close: () => {
      call.cancel();
      client.close();
    },
  };
}
