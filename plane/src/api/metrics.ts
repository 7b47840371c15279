// The plane's own metrics, under the names by which dashboards know an API server's.
import type { Metric, Sample } from '@fleetset/scheduler-core/prometheus-text';
import type { AuditFile } from '../audit/audit-file.ts';
import type { CollectionSize, Store } from '../store/store.ts';
import type { Reply } from './exchange.ts';
import type { RequestLimits } from './request-limits.ts';

export interface RequestCounts {
  readonly count: (reply: Reply) => void;
  readonly samples: () => Sample[];
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);

/** By method and code: both few, whatever clients send. */
export function createRequestCounts(): RequestCounts {
  const counts = new Map<string, number>();
  return {
    count: ({ method, code }) => {
      const key = `${METHODS.has(method) ? method : 'other'} ${code}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    },
    samples: () =>
      [...counts].map(([key, value]) => {
        const [method = '', code = ''] = key.split(' ');
        return { labels: { method, code }, value };
      }),
  };
}

export interface MetricsParts {
  readonly store: Pick<Store, 'sizes'>;
  readonly requests: RequestCounts;
  readonly limits: RequestLimits;
  readonly audit: AuditFile['counts'] | undefined;
}

export function apiMetrics({ store, requests, limits, audit }: MetricsParts): Metric[] {
  const sizes = [...store.sizes()];
  const audited = audit?.() ?? { written: 0, lost: 0 };
  return [
    metric('apiserver_request_total', 'counter', 'Requests that were answered.', requests.samples()),
    one(
      'apiserver_current_inflight_requests',
      'gauge',
      'Requests that are being served, but for those that last.',
      limits.seats.counts().taken,
    ),
    one(
      'apiserver_current_inqueue_requests',
      'gauge',
      'Requests that wait for a seat.',
      limits.seats.counts().waiting,
    ),
    one(
      'apiserver_longrunning_requests',
      'gauge',
      'Watches, logs, exec, attach and port-forward.',
      limits.longSeats.counts().taken,
    ),
    one(
      'apiserver_flowcontrol_rejected_requests_total',
      'counter',
      'Requests that were answered with 429.',
      limits.seats.counts().refused + limits.longSeats.counts().refused,
    ),
    one(
      'apiserver_audit_event_total',
      'counter',
      'Lines of the audit log that were written.',
      audited.written,
    ),
    ofCollections('apiserver_storage_objects', 'Objects that are kept.', sizes, ({ objects }) => objects),
    ofCollections(
      'fleetset_plane_history_changes',
      'Changes that are remembered for watches.',
      sizes,
      ({ changes }) => changes,
    ),
    ofCollections(
      'fleetset_plane_history_bytes',
      'About what memory the changes that are remembered cost.',
      sizes,
      ({ changesBytes }) => changesBytes,
    ),
    metric('apiserver_audit_error_total', 'counter', 'Lines of the audit log that were lost.', [
      { labels: { plugin: 'log' }, value: audited.lost },
    ]),
  ];
}

export const metric = (
  name: string,
  type: Metric['type'],
  help: string,
  samples: readonly Sample[],
): Metric => ({ name, type, help, samples });

export const one = (name: string, type: Metric['type'], help: string, value: number): Metric =>
  metric(name, type, help, [{ value }]);

const ofCollections = (
  name: string,
  help: string,
  sizes: readonly CollectionSize[],
  figureOf: (size: CollectionSize) => number,
): Metric =>
  metric(
    name,
    'gauge',
    help,
    sizes.map((size) => ({ labels: { resource: resourceOf(size.collection) }, value: figureOf(size) })),
  );

/** As Kubernetes writes it: pods, daemonsets.apps. */
function resourceOf(collection: string): string {
  const [group = '', plural = ''] = collection.split('/');
  return group === 'core' ? plural : `${plural}.${group}`;
}
