// Notices nodes that fall silent and nodes that come back: conditions turn Unknown, Kubernetes' taints come and go,
// and the pods of a silent node are no longer called ready. Nothing is moved and nothing is stopped for it.
import { sameJson } from '@fleetset/scheduler-core/canonical-json';
import { startLevelLoop } from '@fleetset/scheduler-core/level-loop';
import type { Node } from '@fleetset/scheduler-core/schema/node';
import type { PodStatus } from '@fleetset/scheduler-core/schema/pod';
import type { EventRecorder } from '../events/event-recorder.ts';
import { type Liveness, lifecycleTaints, readyCondition, unknownConditions } from '../fleet/compose-node.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { KubeObject } from '../kinds/kind.ts';
import type { Store, Stored, Write } from '../store/store.ts';

const NODES = 'core/nodes';

export interface NodeLifecycleParts {
  readonly store: Store;
  readonly fleet: Fleet;
  readonly recorder: EventRecorder;
  /** How long a node may be silent before it is called unknown. */
  readonly graceMs: number;
  readonly monotonicNow: () => number;
  readonly nowText: () => string;
  readonly onFailure: (error: unknown, retryInMs: number) => void;
}

export interface NodeLifecycle {
  readonly stop: () => Promise<void>;
}

type StoredNode = Node & { readonly metadata: KubeObject['metadata'] };

export function startNodeLifecycle(parts: NodeLifecycleParts): NodeLifecycle {
  const { store } = parts;
  const loop = startLevelLoop({
    pass: async () => {
      const waits: number[] = [];
      for (const stored of store.list(NODES)) {
        const silentForMs = parts.monotonicNow() - parts.fleet.state(stored.id).heardAt;
        const lost = silentForMs >= parts.graceMs;
        if (!lost) waits.push(parts.graceMs - silentForMs);
        await passNode(parts, stored, lost);
      }
      return waits.length > 0 ? { againInMs: Math.max(10, Math.min(...waits)) } : {};
    },
    schedule: (delayMs, callback) => {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
    onFailure: parts.onFailure,
  });
  const watch = store.watch(NODES, store.version(), () => loop.wake());
  loop.wake();
  return {
    stop: async () => {
      if (watch !== 'expired') watch.close();
      await loop.stop();
    },
  };
}

async function passNode(parts: NodeLifecycleParts, stored: Stored, lost: boolean): Promise<void> {
  const { store, nowText } = parts;
  const node = stored.value as unknown as StoredNode;
  const before = readyCondition(node.status)?.status;
  const conditions = node.status?.conditions ?? [];
  const next = lost ? unknownConditions(conditions, nowText()) : conditions;
  const ready = next.find(({ type }) => type === 'Ready')?.status;
  const liveness: Liveness = ready === 'True' ? 'ready' : ready === 'False' ? 'not-ready' : 'unknown';
  const taintsBefore = node.spec?.taints ?? [];
  const taints = lifecycleTaints(taintsBefore, liveness, nowText());
  if (next === conditions && taints === taintsBefore) return;
  const { taints: _taints, ...spec } = node.spec ?? {};
  const value = {
    ...node,
    ...(taints === taintsBefore ? {} : { spec: { ...spec, ...(taints.length > 0 ? { taints } : {}) } }),
    status: { ...node.status, conditions: next },
  };
  if (sameJson(value, node)) return;
  const nodeWrite: Write = {
    collection: NODES,
    id: stored.id,
    value: value as unknown as KubeObject,
    expect: stored.version,
    durable: false,
  };
  const nowUnknown = lost && before !== 'Unknown';
  const result = await store.commit([
    nodeWrite,
    ...(nowUnknown ? unreadyPods(store, stored.id, nowText()) : []),
  ]);
  if (!result.committed) return;
  if (nowUnknown)
    record(parts, node, 'NodeNotReady', `Node ${stored.id} stopped reporting: status is now Unknown`);
}

function record(
  { recorder }: NodeLifecycleParts,
  { metadata }: StoredNode,
  reason: string,
  message: string,
): void {
  recorder.record({
    subject: { kind: 'Node', apiVersion: 'v1', name: metadata.name ?? '', uid: metadata.uid ?? '' },
    type: 'Warning',
    reason,
    message,
    component: 'node-controller',
  });
}

/** As Kubernetes' node controller does: not heard of is not ready. */
function unreadyPods(store: Store, nodeName: string, nowText: string): Write[] {
  const writes: Write[] = [];
  for (const { id, value } of store.list('core/pods')) {
    const pod = value as unknown as KubeObject & { spec?: { nodeName?: string }; status?: PodStatus };
    if (pod.spec?.nodeName !== nodeName) continue;
    const conditions = (pod.status?.conditions ?? []).map((condition) =>
      condition.type === 'Ready' && condition.status === 'True'
        ? { ...condition, status: 'False', reason: 'NodeNotReady', lastTransitionTime: nowText }
        : condition,
    );
    const changed = { ...pod, status: { ...pod.status, conditions } } as unknown as KubeObject;
    writes.push({ collection: 'core/pods', id, value: changed, durable: false });
  }
  return writes;
}
