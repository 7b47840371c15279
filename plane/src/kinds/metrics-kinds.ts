// metrics.k8s.io/v1beta1 NodeMetrics and PodMetrics: what `kubectl top` reads. Made when they are asked for.
import { objectMeta } from '@fleetset/scheduler-core/schema/meta';
import {
  type Infer,
  list,
  map,
  object,
  quantity,
  string,
  time,
} from '@fleetset/scheduler-core/schema/schema';
import { column, NAME } from './columns.ts';
import type { Kind, KubeObject } from './kind.ts';

export const METRICS_GROUP = 'metrics.k8s.io';

const named = (kind: string) => `io.k8s.metrics.pkg.apis.metrics.v1beta1.${kind}`;

const nodeMetrics = object(named('NodeMetrics'), {
  apiVersion: string(),
  kind: string(),
  metadata: objectMeta,
  timestamp: time,
  window: string({ description: 'The span that cpu is the mean of.' }),
  usage: map(quantity),
});
export interface NodeMetrics extends Infer<typeof nodeMetrics> {}

const podMetrics = object(named('PodMetrics'), {
  apiVersion: string(),
  kind: string(),
  metadata: objectMeta,
  timestamp: time,
  window: string({ description: 'The span that cpu is the mean of.' }),
  containers: list(object(named('ContainerMetrics'), { name: string(), usage: map(quantity) }, ['name'])),
});
export interface PodMetrics extends Infer<typeof podMetrics> {}

const asNode = (made: KubeObject) => made as unknown as NodeMetrics;
const asPod = (made: KubeObject) => made as unknown as PodMetrics;
const WINDOW = column('Window', 'The span that cpu is the mean of.', (made) => asNode(made).window ?? '');

export const nodeMetricsKind: Kind = {
  group: METRICS_GROUP,
  kind: 'NodeMetrics',
  plural: 'nodes',
  singular: '',
  namespaced: false,
  schema: nodeMetrics,
  verbs: ['get', 'list'],
  columns: [
    NAME,
    column('CPU', 'What it uses.', (made) => asNode(made).usage?.cpu ?? ''),
    column('Memory', 'Its working set.', (made) => asNode(made).usage?.memory ?? ''),
    WINDOW,
  ],
};

export const podMetricsKind: Kind = {
  group: METRICS_GROUP,
  kind: 'PodMetrics',
  plural: 'pods',
  singular: '',
  namespaced: true,
  schema: podMetrics,
  verbs: ['get', 'list'],
  columns: [
    NAME,
    column('CPU', 'What each container uses.', (made) => joined(asPod(made), 'cpu')),
    column('Memory', 'The working set of each container.', (made) => joined(asPod(made), 'memory')),
    WINDOW,
  ],
};

const joined = ({ containers = [] }: PodMetrics, resource: string): string =>
  containers.map(({ usage }) => usage?.[resource] ?? '').join(',');
