// What a join command is made of, kept where everybody who may read kube-public finds it.
import { randomUUID } from 'node:crypto';
import type { KubeObject } from '../kinds/kind.ts';
import type { Store } from '../store/store.ts';

/** Where agents reach this plane, for the join command. */
export async function publishInfo(
  store: Store,
  agentAddress: string,
  caHash: string,
  nowText: string,
): Promise<void> {
  const [collection, id] = ['core/configmaps', 'kube-public/fleetset-info'];
  const before = store.get(collection, id)?.value as KubeObject | undefined;
  const metadata = before?.metadata ?? {
    name: 'fleetset-info',
    namespace: 'kube-public',
    uid: randomUUID(),
    creationTimestamp: nowText,
  };
  const value = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { agentAddress, caHash } };
  await store.commit([{ collection, id, value, durable: true }]);
}
