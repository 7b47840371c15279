// NodeMetrics and PodMetrics from what the agents told, under the names that the objects have here.
import type { PodUsage } from '@fleetset/proto/gen/fleetset/v1/node';
import type { VirtualObjects } from '../api/resource-call.ts';
import type { KubeObject } from '../kinds/kind.ts';
import type { NodeMetrics, PodMetrics } from '../kinds/metrics-kinds.ts';
import type { Store } from '../store/store.ts';
import type { ToldUsage, UsageBook } from './usage-book.ts';

interface Sources {
  readonly store: Store;
  readonly usage: UsageBook;
}

const API_VERSION = 'metrics.k8s.io/v1beta1';

/** What has not been told lately has no metrics, as in Kubernetes. */
const virtual =
  (store: Store, collection: string, make: (object: KubeObject) => object | undefined): VirtualObjects =>
  (namespace) => ({
    *[Symbol.iterator]() {
      for (const { value } of store.list(collection)) {
        const object = value as unknown as KubeObject;
        if (namespace !== undefined && object.metadata.namespace !== namespace) continue;
        const made = make(object);
        if (made) yield made as KubeObject;
      }
    },
    find: (name) => {
      const stored = store.get(collection, namespace === undefined ? name : `${namespace}/${name}`);
      return stored && (make(stored.value as unknown as KubeObject) as KubeObject | undefined);
    },
  });

export const nodeMetrics = ({ store, usage }: Sources): VirtualObjects =>
  virtual(store, 'core/nodes', (node) => {
    const told = usage.of(node.metadata.name ?? '');
    if (!told) return undefined;
    return {
      kind: 'NodeMetrics',
      apiVersion: API_VERSION,
      ...common(node, told),
      usage: amounts(told.usage),
    } satisfies NodeMetrics;
  });

export const podMetrics = ({ store, usage }: Sources): VirtualObjects =>
  virtual(store, 'core/pods', (pod) => {
    const told = usage.of((pod.spec as { nodeName?: string } | undefined)?.nodeName ?? '');
    const used = told?.usage.pods.find(({ podUid }) => podUid === pod.metadata.uid);
    if (!told || !used) return undefined;
    return {
      kind: 'PodMetrics',
      apiVersion: API_VERSION,
      ...common(pod, told),
      containers: containersOf(used),
    } satisfies PodMetrics;
  });

const common = ({ metadata }: KubeObject, { timestamp, usage }: ToldUsage) => ({
  metadata: {
    name: metadata.name ?? '',
    ...(metadata.namespace ? { namespace: metadata.namespace } : {}),
    ...(metadata.labels ? { labels: metadata.labels } : {}),
    creationTimestamp: timestamp,
  },
  timestamp,
  window: `${usage.windowMs / 1000}s`,
});

const containersOf = ({ containers }: PodUsage) =>
  containers.map((container) => ({ name: container.name, usage: amounts(container) }));

const amounts = (used: { readonly cpuNanoCores: number; readonly memoryBytes: number }) => ({
  cpu: `${used.cpuNanoCores}n`,
  memory: `${Math.ceil(used.memoryBytes / 1024)}Ki`,
});
