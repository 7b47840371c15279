// The agent's metrics as they are now, from its last report and what it counted.
import { readdirSync } from 'node:fs';
import type { Generation, NodeReport } from '@fleetset/proto/gen/fleetset/v1/node';
import type { Metric, Sample } from '@fleetset/scheduler-core/prometheus-text';
import type { NodeStatus } from '@fleetset/scheduler-core/schema/node';
import type { PodStatus } from '@fleetset/scheduler-core/schema/pod';
import type { Counts, Histogram } from './meters.ts';

export interface MetricsInput {
  readonly version: string;
  readonly report: NodeReport;
  readonly counts: Counts;
  /** The plane listens. */
  readonly connected: boolean;
  readonly generation: Generation | undefined;
  readonly engineUp: boolean;
}

export function agentMetrics(input: MetricsInput): Metric[] {
  const { report, counts, generation } = input;
  const status = JSON.parse(report.facts?.statusJson || '{}') as NodeStatus;
  return [
    metric('build_info', 'gauge', 'What the agent is; always 1.', [
      { labels: { version: input.version, node_version: process.version }, value: 1 },
    ]),
    metric('pods', 'gauge', 'Pods of this node, by phase and readiness.', podSamples(report)),
    metric(
      'container_restarts_total',
      'counter',
      'How often each container of the pods that are here was restarted.',
      restartSamples(report),
    ),
    metric(
      'node_condition',
      'gauge',
      'Conditions of the node: 1 where one holds.',
      (status.conditions ?? []).map(({ type, status: value }) => ({
        labels: { condition: type },
        value: value === 'True' ? 1 : 0,
      })),
    ),
    one(
      'engine_up',
      'gauge',
      'Whether the Docker engine answered when it was looked at last.',
      Number(input.engineUp),
    ),
    metric(
      'engine_errors_total',
      'counter',
      'Calls to the engine that failed.',
      [...counts.engineErrors].map(([key, value]) => {
        const [call = '', kind = ''] = key.split(' ');
        return { labels: { call, kind }, value };
      }),
    ),
    metric(
      'pass_duration_seconds',
      'histogram',
      'How long one look at the node took.',
      histogram(counts.passes),
    ),
    one('passes_failed_total', 'counter', 'Looks that could not be finished.', counts.failedPasses),
    one('sync_connected', 'gauge', 'Whether the plane listens.', Number(input.connected)),
    one('desired_epoch', 'gauge', 'Epoch of what the node was told.', generation?.epoch ?? 0),
    one('desired_generation', 'gauge', 'Generation of what the node was told.', generation?.counter ?? 0),
    one('reports_total', 'counter', 'Reports sent to the plane.', counts.reports),
    metric('image_pulls_total', 'counter', 'Pulls of images that have ended.', [
      { labels: { result: 'success' }, value: counts.pulls.success },
      { labels: { result: 'failure' }, value: counts.pulls.failure },
    ]),
    one('images_removed_total', 'counter', 'Images removed for space.', counts.imagesRemoved),
    one('image_bytes_removed_total', 'counter', 'What they held.', counts.imageBytesRemoved),
    ...processMetrics(),
  ];
}

const metric = (name: string, type: Metric['type'], help: string, samples: readonly Sample[]): Metric => ({
  name: `fleetset_agent_${name}`,
  help,
  type,
  samples,
});

const one = (name: string, type: Metric['type'], help: string, value: number): Metric =>
  metric(name, type, help, [{ value }]);

const statusOf = (json: string) => JSON.parse(json || '{}') as PodStatus;

function podSamples({ pods }: NodeReport): Sample[] {
  const counts = new Map<string, number>();
  for (const { ready, statusJson } of pods) {
    const key = `${statusOf(statusJson).phase ?? 'Unknown'} ${ready}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].map(([key, value]) => {
    const [phase = '', ready = ''] = key.split(' ');
    return { labels: { phase, ready }, value };
  });
}

const restartSamples = ({ pods }: NodeReport): Sample[] =>
  pods.flatMap(({ namespace, name, statusJson }) =>
    (statusOf(statusJson).containerStatuses ?? []).map((container) => ({
      labels: { namespace, pod: name, container: container.name },
      value: container.restartCount,
    })),
  );

const histogram = ({ buckets, sum, count }: Histogram): Sample[] => [
  ...buckets.map(([bound, value]) => ({ suffix: '_bucket', labels: { le: String(bound) }, value })),
  { suffix: '_bucket', labels: { le: '+Inf' }, value: count },
  { suffix: '_sum', value: sum },
  { suffix: '_count', value: count },
];

/** Under the names that every Prometheus client library gives them. */
function processMetrics(): Metric[] {
  const { user, system } = process.cpuUsage();
  const of = (name: string, type: Metric['type'], help: string, value: number): Metric => ({
    name,
    type,
    help,
    samples: [{ value }],
  });
  return [
    of('process_cpu_seconds_total', 'counter', 'CPU time of the agent.', (user + system) / 1e6),
    of('process_resident_memory_bytes', 'gauge', 'Resident memory of the agent.', process.memoryUsage.rss()),
    of('process_open_fds', 'gauge', 'Open files of the agent.', openFiles()),
    of(
      'process_start_time_seconds',
      'gauge',
      'When the agent began, in seconds since the epoch.',
      Math.round(performance.timeOrigin / 1000),
    ),
  ];
}

function openFiles(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return 0;
  }
}
