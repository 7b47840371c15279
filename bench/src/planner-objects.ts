// The objects that are planned for: nodes, DaemonSets, and the policy that paces them.
import { randomUUID } from 'node:crypto';
import { NODE_RECORDS } from '@fleetset/plane/fleet/node-record';
import type { Store, StoredValue } from '@fleetset/plane/store/store';
import type { UpdateStrategy } from '@fleetset/scheduler-core/rollout/update-strategy';
import type { RolloutPolicySpec } from '@fleetset/scheduler-core/schema/rollout-policy';

const TIME_ZONES = ['Europe/Berlin', 'Europe/London', 'Asia/Tokyo', 'UTC'];

export function nodeWrites(name: string, index: number) {
  const labels = {
    'kubernetes.io/hostname': name,
    disk: 'ssd',
    zone: `zone-${Math.floor(index / 7) % 50}`,
    canary: String(index % 100 === 0),
    'fleetset.dev/time-zone': (TIME_ZONES[index % TIME_ZONES.length] ?? '').replace('/', '.'),
  };
  const metadata = { name, uid: randomUUID(), labels };
  const status = { conditions: [{ type: 'Ready', status: 'True' }] };
  const record = { name, keyHash: name, ownLabels: {}, ownTaints: [] };
  return [
    { collection: 'core/nodes', id: name, value: { metadata, spec: {}, status }, durable: true },
    { collection: NODE_RECORDS, id: name, value: record, durable: true },
  ];
}

const STRATEGY = { type: 'RollingUpdate', maxUnavailable: '10%' } as const;

export function daemonSet(index: number) {
  const name = `set-${index}`;
  const template = {
    metadata: { labels: { app: name } },
    spec: { nodeSelector: { disk: 'ssd' }, containers: [{ name: 'main', image: 'app:1' }] },
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name, namespace: 'default', uid: randomUUID(), generation: 1 },
    spec: {
      selector: { matchLabels: { app: name } },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '10%' } as object },
      template,
    },
  };
}

export const policyOf = (spec: RolloutPolicySpec) => ({
  apiVersion: 'fleetset.dev/v1',
  kind: 'RolloutPolicy',
  metadata: { name: 'bench', namespace: 'default', uid: 'bench' },
  spec: { selector: {}, ...spec },
});

export const put = (store: Store, collection: string, id: string, value: object) =>
  store.commit([{ collection, id, value: value as StoredValue, durable: true }]);

export async function change(
  store: Store,
  id: string,
  image: string,
  strategy: Partial<UpdateStrategy> | undefined,
): Promise<void> {
  const stored = store.get('apps/daemonsets', id);
  if (!stored) return;
  const { metadata, spec, ...rest } = stored.value as unknown as ReturnType<typeof daemonSet>;
  const { type, ...rollingUpdate } = { ...STRATEGY, ...strategy };
  await put(store, 'apps/daemonsets', id, {
    ...rest,
    metadata: { ...metadata, generation: metadata.generation + 1 },
    spec: {
      ...spec,
      updateStrategy: { type, rollingUpdate },
      template: {
        ...spec.template,
        spec: { ...spec.template.spec, containers: [{ name: 'main', image }] },
      },
    },
  });
}
