// What the local endpoints answer with, from the parts of a running agent.
import type { NodeReport } from '@fleetset/proto/gen/fleetset/v1/node';
import { metricsText } from '@fleetset/scheduler-core/prometheus-text';
import { templateOf } from '../node/desired-state.ts';
import type { NodeAgent } from '../node/node-agent-parts.ts';
import type { BodyFiles } from '../state/body-files.ts';
import type { DesiredFile } from '../state/desired-file.ts';
import type { PodBook } from '../state/pod-book.ts';
import { agentMetrics } from './agent-metrics.ts';
import type { LocalAnswers } from './local-server.ts';
import type { Meters } from './meters.ts';
import { podList } from './pod-list.ts';

export interface AnswerParts {
  readonly nodeName: string;
  readonly version: string;
  readonly agent: Pick<NodeAgent, 'engineTrouble'>;
  readonly pods: PodBook;
  readonly bodies: BodyFiles;
  readonly desired: Pick<DesiredFile, 'current'>;
  readonly meters: Meters;
  readonly report: () => NodeReport;
  readonly connected: () => boolean;
  /** When the node loop went round last. */
  readonly passedAt: () => number;
  readonly monotonicNow: () => number;
}

/** Longer than the loop ever waits for the engine and for itself. */
const STUCK_MS = 180_000;

export const localAnswers = (parts: AnswerParts): LocalAnswers => ({
  unhealthy: () => {
    const silentMs = parts.monotonicNow() - parts.passedAt();
    if (silentMs < STUCK_MS) return undefined;
    return `the node loop did not go round for ${Math.round(silentMs / 1000)} s`;
  },
  unready: () => parts.agent.engineTrouble(),
  metrics: () =>
    metricsText(
      agentMetrics({
        version: parts.version,
        report: parts.report(),
        counts: parts.meters.now(),
        connected: parts.connected(),
        generation: parts.desired.current()?.generation,
        engineUp: parts.agent.engineTrouble() === undefined,
      }),
    ),
  pods: () =>
    podList({
      nodeName: parts.nodeName,
      report: parts.report(),
      templateOf: (uid) => {
        const record = parts.pods.get(uid)?.record;
        return record && templateOf(parts.bodies, record);
      },
    }),
});
