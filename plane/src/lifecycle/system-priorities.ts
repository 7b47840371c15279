// The two PriorityClasses that Kubernetes brings along: what is missing at a start is made again.
import { randomUUID } from 'node:crypto';
import type { Store } from '../store/store.ts';

const CLASSES = [
  {
    name: 'system-node-critical',
    value: 2_000_001_000,
    description: 'For pods of the system without which their node is of no use.',
  },
  {
    name: 'system-cluster-critical',
    value: 2_000_000_000,
    description: 'For pods of the system that the fleet needs.',
  },
];
const COLLECTION = 'scheduling.k8s.io/priorityclasses';

export async function restoreSystemPriorities(store: Store, nowText: string): Promise<void> {
  const missing = CLASSES.filter(({ name }) => !store.get(COLLECTION, name));
  if (missing.length === 0) return;
  await store.commit(
    missing.map(({ name, value, description }) => ({
      collection: COLLECTION,
      id: name,
      value: {
        apiVersion: 'scheduling.k8s.io/v1',
        kind: 'PriorityClass',
        metadata: { name, uid: randomUUID(), creationTimestamp: nowText, generation: 1 },
        value,
        description,
        preemptionPolicy: 'PreemptLowerPriority',
      },
      durable: true,
    })),
  );
}
