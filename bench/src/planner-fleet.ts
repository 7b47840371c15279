// A fleet of nodes that answer at once, with no wire between them and the plane and no containers.
import type { Store } from '@fleetset/plane/store/store';
import type { PodReport } from '@fleetset/proto/gen/fleetset/v1/node';
import { NodeReport } from '@fleetset/proto/gen/fleetset/v1/node';
import type { UpdateStrategy } from '@fleetset/scheduler-core/rollout/update-strategy';
import type { RolloutPolicySpec } from '@fleetset/scheduler-core/schema/rollout-policy';
import { type BenchNode, DOWN, doAsTold, newNode, reportOf, saidBy, UP } from './planner-node.ts';
import { change, daemonSet, nodeWrites, policyOf, put } from './planner-objects.ts';
import type { BenchPlane, Parts } from './planner-plane.ts';

export interface PlannerFleet<P extends Parts = Parts> {
  readonly parts: P;
  readonly nodeNames: readonly string[];
  readonly setIds: readonly string[];
  /** Every node does what it was told, and says so. Its new pods are not available yet. */
  readonly obey: () => Promise<void>;
  /** Pods that are not available become so. */
  readonly recover: () => Promise<void>;
  /** Puts another image into every DaemonSet, and paces them all like this from now on. */
  readonly update: (image: string, paced?: Paced) => Promise<void>;
  /** Every node comes to have it, as fast as may be. */
  readonly finish: (image: string) => Promise<void>;
  /** One pod becomes available, or ceases to be; its node reports that and nothing else. */
  readonly flip: (node: string, setUid: string) => Promise<void>;
  /** The node's own status is another, and it reports that and nothing else. */
  readonly shake: (node: string) => Promise<void>;
  /** Of the last reports of all nodes, as they come over the wire. */
  readonly reportBytes: () => number;
  /** The node leaves, or comes back: news about every DaemonSet. */
  readonly unplug: (node: string) => Promise<void>;
  /** A node whose pod of this DaemonSet is not available. */
  readonly downNode: (setUid: string) => string | undefined;
  readonly setUids: readonly string[];
  /** Nothing is left of the nodes but what the plane knows of them. */
  readonly vanish: () => void;
  readonly close: () => Promise<void>;
}

export interface Paced {
  readonly strategy?: Partial<UpdateStrategy>;
  readonly policy?: RolloutPolicySpec;
  /** Every so many-th node is held by somebody. */
  readonly heldEvery?: number;
}

export async function startPlannerFleet<P extends Parts>(
  plane: BenchPlane<P>,
  nodeCount: number,
  setCount: number,
): Promise<PlannerFleet<P>> {
  const { parts } = plane;
  const { store, fleet } = parts;
  const nodes = Array.from({ length: nodeCount }, (_, index) => newNode(index));
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const sets = Array.from({ length: setCount }, (_, index) => daemonSet(index));
  await put(store, 'core/namespaces', 'default', { metadata: { name: 'default', uid: 'default' } });
  await store.commit([
    ...nodes.flatMap(({ name }, index) => nodeWrites(name, index)),
    ...sets.map((value) => ({
      collection: 'apps/daemonsets',
      id: `default/${value.metadata.name}`,
      value,
      durable: true,
    })),
  ]);
  nodes.forEach(plane.connect);
  const say = (node: BenchNode) => plane.hear(node, reportOf(node));
  const sayAll = async (what: (node: BenchNode) => void) => {
    for (const node of nodes) {
      what(node);
      say(node);
    }
    await quiet(store);
  };
  const obey = () => sayAll(doAsTold);
  const recover = () =>
    sayAll(({ pods }) => {
      for (const [uid, pod] of pods) if (!pod.available) pods.set(uid, { ...pod, ...UP });
    });
  const update = async (image: string, { strategy = {}, policy = {}, heldEvery }: Paced = {}) => {
    await put(store, 'fleetset.dev/rolloutpolicies', 'default/bench', policyOf(policy));
    const isHeld = (index: number) => heldEvery !== undefined && index % heldEvery === 5;
    for (const [index, node] of nodes.entries()) {
      if (node.held === isHeld(index)) continue;
      node.held = isHeld(index);
      say(node);
    }
    for (const { metadata } of sets) await change(store, `default/${metadata.name}`, image, strategy);
    await quiet(store);
  };
  const nodeOf = (name: string) => byName.get(name) as BenchNode;
  await obey();
  await obey();
  await recover();
  return {
    parts,
    nodeNames: nodes.map(({ name }) => name),
    setIds: sets.map(({ metadata }) => `default/${metadata.name}`),
    obey,
    recover,
    update,
    finish: async (image) => {
      await update(image, { strategy: { maxUnavailable: '100%' } });
      await obey();
      await recover();
    },
    shake: async (name) => {
      const node = nodeOf(name);
      node.shaken = !node.shaken;
      say(node);
      await quiet(store);
    },
    reportBytes: () => nodes.reduce((sum, node) => sum + NodeReport.encode(saidBy(node)).finish().length, 0),
    flip: async (name, uid) => {
      const { pods } = nodeOf(name);
      const pod = pods.get(uid) as PodReport;
      pods.set(uid, { ...pod, ...(pod.available ? DOWN : UP) });
      say(nodeOf(name));
      await quiet(store);
    },
    unplug: async (name) => {
      fleet.change(name, { reported: !fleet.state(name).reported });
      plane.touch(name);
      await quiet(store);
    },
    downNode: (uid) => nodes.find(({ pods }) => pods.get(uid)?.available === false)?.name,
    setUids: sets.map(({ metadata }) => metadata.uid),
    vanish: () => {
      for (const node of nodes) {
        delete node.desired;
        node.pods.clear();
      }
    },
    close: plane.close,
  };
}

/** The loop has nothing more to write: it waits for the store between any two steps. */
async function quiet(store: Store): Promise<void> {
  for (let calm = 0, before = store.version(); calm < 5; calm++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (store.version() !== before) calm = 0;
    before = store.version();
  }
}
