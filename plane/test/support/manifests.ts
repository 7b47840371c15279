// Objects as an operator writes them.
import type { ApiClient, Json } from './api-client.ts';

export interface DaemonSetOptions {
  readonly image?: string;
  readonly maxUnavailable?: number | string;
  readonly strategy?: 'RollingUpdate' | 'OnDelete';
  /** More of the pod spec. */
  readonly pod?: Json;
  /** More of the DaemonSet's spec. */
  readonly spec?: Json;
  readonly metadata?: Json;
}

export function daemonSet(name: string, options: DaemonSetOptions = {}): Json {
  const { image = 'example/web:1', maxUnavailable = 1, strategy = 'RollingUpdate' } = options;
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name, ...options.metadata },
    spec: {
      selector: { matchLabels: { app: name } },
      updateStrategy:
        strategy === 'OnDelete' ? { type: strategy } : { type: strategy, rollingUpdate: { maxUnavailable } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'main', image }], ...options.pod },
      },
      ...options.spec,
    },
  };
}

export const configMap = (name: string, data: Json = { key: 'value' }, metadata: Json = {}): Json => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...metadata },
  data,
});

export const SETS = '/apis/apps/v1/namespaces/default/daemonsets';
export const REVISIONS = '/apis/apps/v1/namespaces/default/controllerrevisions';
export const PODS = '/api/v1/namespaces/default/pods';
export const EVENTS = '/api/v1/namespaces/default/events';
export const NODES = '/api/v1/nodes';

let count = 0;
/** A namespace of a test's own; answers its name. */
export async function newNamespace(api: ApiClient): Promise<string> {
  count += 1;
  const name = `test-${count}`;
  await api.ok('POST', '/api/v1/namespaces', { metadata: { name } });
  return name;
}
