// Proves that `fleetset plan` takes for failing what the plane takes for failing, in the same words.
import { expect, it } from 'vitest';
import { type Running, rolloutNode } from '../src/plan/read-fleet.ts';

const node = { metadata: { name: 'a' }, status: { conditions: [{ type: 'Ready', status: 'True' }] } };
const waiting = { name: 'main', state: { waiting: { reason: 'CrashLoopBackOff' } } };
const ready = { conditions: [{ type: 'Ready', status: 'True' }] };

it.each<[string, object, string | undefined]>([
  [
    'crashes again and again',
    { containerStatuses: [waiting] },
    'container main crashes again and again (CrashLoopBackOff)',
  ],
  [
    'has no program to start',
    {
      containerStatuses: [
        {
          ...waiting,
          lastState: { terminated: { exitCode: 128, reason: 'StartError', message: 'no such' } },
        },
      ],
    },
    'container main cannot be started (CrashLoopBackOff: no such)',
  ],
  ['has failed', { phase: 'Failed', reason: 'Evicted', message: 'm' }, 'its pod has failed (Evicted: m)'],
  ['is ready all the same', { ...ready, containerStatuses: [waiting] }, undefined],
])('a pod that %s', (_sentence, status, failing) => {
  const pod = { metadata: { name: 'web-1' }, spec: { nodeName: 'a' }, status };
  const running = { placements: [], pods: [pod], rollout: {} } as unknown as Running;
  expect(rolloutNode(node as never, 'Run', running).failing).toBe(failing);
});
