// What a container that has no log yet waits for, in the words of the pod's status.
import { firstReason, waitingReason } from '@fleetset/scheduler-core/node/waiting-reason';
import type { BodyFiles } from '../state/body-files.ts';
import type { PodBook } from '../state/pod-book.ts';
import type { WaitingContainer } from '../sync/log-tunnel.ts';
import { templateOf } from './desired-state.ts';
import type { NodeAgent } from './node-agent-parts.ts';

export interface WaitingParts {
  readonly pods: PodBook;
  readonly bodies: BodyFiles;
  readonly agent: Pick<NodeAgent, 'memoryOf'>;
  readonly monotonicNow: () => number;
}

export const waitingContainer =
  ({ pods, bodies, agent, monotonicNow }: WaitingParts): WaitingContainer =>
  (podUid, container) => {
    const record = pods.get(podUid)?.record;
    const first = firstReason(record && templateOf(bodies, record)?.spec);
    const memory = agent.memoryOf(podUid, container);
    const why = record && waitingReason(record, container, '', undefined, memory, monotonicNow(), first);
    return { podName: record?.name ?? '', reason: why?.reason ?? first };
  };
