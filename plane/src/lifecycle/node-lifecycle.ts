// Notices nodes that fall silent and nodes that come back: conditions turn Unknown, Kubernetes' taints come and go,
// and the pods of a silent node are no longer called ready. Nothing is moved and nothing is stopped for it.
import { sameJson } from '@fleetset/scheduler-core/canonical-json';
import { startLevelLoop } from '@fleetset/scheduler-core/level-loop';
import type { Node } from '@fleetset/scheduler-core/schema/node';
import type { PodStatus } from '@fleetset/scheduler-core/schema/pod';
import type { EventRecorder } from '../events/event-recorder.ts';
import {
  freshHeartbeats,
  type Liveness,
  lifecycleTaints,
  readyCondition,
  unknownConditions,
} from '../fleet/compose-node.ts';
import { type Fleet, isConnected } from '../fleet/fleet.ts';
import type { KubeObject } from '../kinds/kind.ts';
import type { Store, Stored, Write } from '../store/store.ts';
import { schedule } from '../timer.ts';

const NODES = 'core/nodes';

export interface NodeLifecycleParts {
  readonly store: Store;
  readonly fleet: Fleet;
  /** Ids of the pods that are shown of a node. */
  readonly podsOf: (nodeName: string) => ReadonlySet<string>;
  readonly recorder: EventRecorder;
  /** How long a node may be silent before it is called unknown. */
  readonly graceMs: number;
  readonly monotonicNow: () => number;
  readonly nowText: () => string;
  /** The node is lost, or is so no more. */
  readonly onLost: (nodeName: string) => void;
  readonly onFailure: (error: unknown, retryInMs: number) => void;
}

export interface NodeLifecycle {
  readonly stop: () => Promise<void>;
}

type StoredNode = Node & { readonly metadata: KubeObject['metadata'] };

export function startNodeLifecycle(parts: NodeLifecycleParts): NodeLifecycle {
  const { store, monotonicNow } = parts;
  const touched = new Set<string>();
  /** When the first of all nodes may fall silent: whoever is heard meanwhile makes it later. Until then only those that
   *  were written are looked at. */
  let allAt = Number.NEGATIVE_INFINITY;
  const loop = startLevelLoop({
    pass: async () => {
      const all = monotonicNow() >= allAt;
      const names = all ? [...store.list(NODES)].map(({ id }) => id) : [...touched];
      touched.clear();
      if (all) allAt = Number.POSITIVE_INFINITY;
      for (const name of names) {
        const silentAt = await passNode(parts, name);
        if (silentAt !== undefined) allAt = Math.min(allAt, silentAt);
      }
      return Number.isFinite(allAt) ? { againInMs: Math.max(10, allAt - monotonicNow()) } : {};
    },
    schedule,
    onFailure: (error, retryInMs) => {
      allAt = Number.NEGATIVE_INFINITY;
      parts.onFailure(error, retryInMs);
    },
  });
  const watch = store.watch(NODES, store.version(), ({ id }) => {
    touched.add(id);
    loop.wake();
  });
  loop.wake();
  return {
    stop: async () => {
      if (watch !== 'expired') watch.close();
      await loop.stop();
    },
  };
}

/** Looks again when somebody else wrote the node or one of its pods meanwhile. Answers when it has been silent for too long. */
async function passNode(parts: NodeLifecycleParts, name: string): Promise<number | undefined> {
  for (;;) {
    const stored = parts.store.get(NODES, name);
    if (!stored) return undefined;
    const state = parts.fleet.state(name);
    const silentAt = state.heardAt + parts.graceMs;
    const lost = parts.monotonicNow() >= silentAt;
    if (state.lost !== lost) {
      parts.fleet.change(name, { lost });
      parts.onLost(name);
    }
    if (await settleNode(parts, stored, lost)) return lost ? undefined : silentAt;
  }
}

/** False when something of it had changed meanwhile, and nothing was written. */
async function settleNode(parts: NodeLifecycleParts, stored: Stored, lost: boolean): Promise<boolean> {
  const { store, nowText } = parts;
  const node = stored.value as unknown as StoredNode;
  const before = readyCondition(node.status)?.status;
  const conditions = node.status?.conditions ?? [];
  const next = lost
    ? unknownConditions(conditions, nowText())
    : isConnected(parts.fleet.state(stored.id))
      ? freshHeartbeats(conditions, nowText())
      : conditions;
  const ready = next.find(({ type }) => type === 'Ready')?.status;
  const liveness: Liveness = ready === 'True' ? 'ready' : ready === 'False' ? 'not-ready' : 'unknown';
  const taintsBefore = node.spec?.taints ?? [];
  const taints = lifecycleTaints(taintsBefore, liveness, nowText());
  if (next === conditions && taints === taintsBefore) return true;
  const { taints: _taints, ...spec } = node.spec ?? {};
  const value = {
    ...node,
    ...(taints === taintsBefore ? {} : { spec: { ...spec, ...(taints.length > 0 ? { taints } : {}) } }),
    status: { ...node.status, conditions: next },
  };
  if (sameJson(value, node)) return true;
  const nodeWrite: Write = {
    collection: NODES,
    id: stored.id,
    value: value as unknown as KubeObject,
    expect: stored.version,
    durable: false,
  };
  const nowUnknown = lost && before !== 'Unknown';
  const pods = nowUnknown ? unreadyPods(store, parts.podsOf(stored.id), nowText()) : [];
  if (!(await store.commit([nodeWrite, ...pods])).committed) return false;
  if (nowUnknown)
    record(parts, node, 'NodeNotReady', `Node ${stored.id} stopped reporting: status is now Unknown`);
  return true;
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
function unreadyPods(store: Store, ids: ReadonlySet<string>, nowText: string): Write[] {
  const writes: Write[] = [];
  for (const id of ids) {
    const stored = store.get('core/pods', id);
    const pod = stored?.value as unknown as (KubeObject & { status?: PodStatus }) | undefined;
    const before = pod?.status?.conditions ?? [];
    if (!stored || !before.some(isReady)) continue;
    const conditions = before.map((condition) =>
      isReady(condition)
        ? { ...condition, status: 'False', reason: 'NodeNotReady', lastTransitionTime: nowText }
        : condition,
    );
    const changed = { ...pod, status: { ...pod?.status, conditions } } as unknown as KubeObject;
    writes.push({ collection: 'core/pods', id, value: changed, expect: stored.version, durable: false });
  }
  return writes;
}

const isReady = ({ type, status }: { readonly type: string; readonly status: string }): boolean =>
  type === 'Ready' && status === 'True';
