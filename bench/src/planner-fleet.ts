// A plane's store, fleet and rollout loop with nodes that answer at once and nothing between them: no wire, no disk,
// no containers. What is left is what planning costs.
import { randomUUID } from 'node:crypto';
import { createEventRecorder } from '@fleetset/plane/events/event-recorder';
import { createFleet, type Fleet, indexPods, type Session } from '@fleetset/plane/fleet/fleet';
import { NODE_RECORDS } from '@fleetset/plane/fleet/node-record';
import { createBodyBook } from '@fleetset/plane/rollout/body-book';
import { createConfigRollouts } from '@fleetset/plane/rollout/config-rollouts';
import { openConfigSnapshots } from '@fleetset/plane/rollout/config-snapshots';
import { openGrantBook } from '@fleetset/plane/rollout/grants';
import { startRolloutLoop } from '@fleetset/plane/rollout/rollout-loop';
import { openRolloutRecords } from '@fleetset/plane/rollout/rollout-records';
import { openSqliteStore } from '@fleetset/plane/store/sqlite-store';
import type { Store, StoredValue } from '@fleetset/plane/store/store';
import type { NodeDesired, PodReport } from '@fleetset/proto/gen/fleetset/v1/node';

export interface PlannerFleet {
  readonly parts: Awaited<ReturnType<typeof partsOf>>;
  readonly nodeNames: readonly string[];
  readonly setIds: readonly string[];
  /** Every node does what it was told, and says so. Its new pods are not available yet. */
  readonly obey: () => Promise<void>;
  /** Pods that are not available become so. */
  readonly recover: () => Promise<void>;
  /** Puts another image into every DaemonSet. */
  readonly update: (image: string) => Promise<void>;
  /** One pod becomes available, or ceases to be; its node reports that and nothing else. */
  readonly flip: (node: string, setUid: string) => Promise<void>;
  /** The node leaves, or comes back: news about every DaemonSet. */
  readonly unplug: (node: string) => Promise<void>;
  /** A node whose pod of this DaemonSet is not available. */
  readonly downNode: (setUid: string) => string | undefined;
  readonly setUids: readonly string[];
  readonly close: () => Promise<void>;
}

const nowText = () => '2030-01-01T00:00:00Z';

const fail = (error: unknown): void => {
  throw error;
};

async function partsOf() {
  const store = openSqliteStore(':memory:', fail);
  const monotonicNow = () => performance.now();
  const fleet = createFleet(monotonicNow);
  const grants = openGrantBook(store);
  const records = openRolloutRecords(store);
  const bodies = createBodyBook();
  const snapshots = await openConfigSnapshots(store, bodies);
  const configs = createConfigRollouts(store, snapshots);
  return { store, fleet, grants, records, bodies, snapshots, configs, nowText, monotonicNow };
}

interface BenchNode {
  readonly name: string;
  readonly session: Session;
  desired?: NodeDesired;
  /** By DaemonSet uid. */
  readonly pods: Map<string, PodReport>;
}

export async function startPlannerFleet(nodeCount: number, setCount: number): Promise<PlannerFleet> {
  const parts = await partsOf();
  const { store, fleet } = parts;
  const nodes = Array.from({ length: nodeCount }, (_, index) => newNode(index));
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const sets = Array.from({ length: setCount }, (_, index) => daemonSet(index));
  await store.commit([
    ...nodes.flatMap(({ name }) => nodeWrites(name)),
    ...sets.map((value) => ({
      collection: 'apps/daemonsets',
      id: `default/${value.metadata.name}`,
      value,
      durable: true,
    })),
  ]);
  const recorder = createEventRecorder(store, nowText, fail);
  const loop = startRolloutLoop({
    ...parts,
    recorder,
    api: () => ({ host: '192.0.2.1', port: 6443 }),
    onFailure: fail,
  });
  const say = (node: BenchNode) => {
    report(fleet, node);
    loop.touchNode(node.name);
  };
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
    update: async (image) => {
      for (const { metadata } of sets) await setImage(store, `default/${metadata.name}`, image);
      await quiet(store);
    },
    flip: async (name, uid) => {
      const { pods } = nodeOf(name);
      const pod = pods.get(uid) as PodReport;
      pods.set(uid, { ...pod, ...(pod.available ? DOWN : UP) });
      say(nodeOf(name));
      await quiet(store);
    },
    unplug: async (name) => {
      fleet.change(name, { reported: !fleet.state(name).reported });
      loop.touchNode(name);
      await quiet(store);
    },
    downNode: (uid) => nodes.find(({ pods }) => pods.get(uid)?.available === false)?.name,
    setUids: sets.map(({ metadata }) => metadata.uid),
    close: async () => {
      recorder.close();
      await loop.stop();
      await store.close();
    },
  };
}

const UP = { ready: true, available: true } as const;
const DOWN = { ready: false, available: false } as const;

function newNode(index: number): BenchNode {
  const name = `node-${String(index).padStart(5, '0')}`;
  const node: BenchNode = {
    name,
    pods: new Map(),
    session: {
      nodeName: name,
      instanceId: name,
      machineId: name,
      agentVersion: 'bench',
      send: (message) => {
        if (message.$case === 'desired') node.desired = message.value;
      },
      end: () => {},
      gone: new AbortController().signal,
    },
  };
  return node;
}

function nodeWrites(name: string) {
  const metadata = { name, uid: randomUUID(), labels: { 'kubernetes.io/hostname': name, disk: 'ssd' } };
  const status = { conditions: [{ type: 'Ready', status: 'True' }] };
  const record = { name, keyHash: name, ownLabels: {}, ownTaints: [] };
  return [
    { collection: 'core/nodes', id: name, value: { metadata, spec: {}, status }, durable: true },
    { collection: NODE_RECORDS, id: name, value: record, durable: true },
  ];
}

function daemonSet(index: number) {
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
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '10%' } },
      template,
    },
  };
}

async function setImage(store: Store, id: string, image: string): Promise<void> {
  const stored = store.get('apps/daemonsets', id);
  if (!stored) return;
  const { metadata, spec, ...rest } = stored.value as unknown as ReturnType<typeof daemonSet>;
  const template = {
    ...spec.template,
    spec: { ...spec.template.spec, containers: [{ name: 'main', image }] },
  };
  const value = {
    ...rest,
    metadata: { ...metadata, generation: metadata.generation + 1 },
    spec: { ...spec, template },
  };
  await store.commit([
    { collection: 'apps/daemonsets', id, value: value as unknown as StoredValue, durable: true },
  ]);
}

function doAsTold({ desired, pods }: BenchNode): void {
  for (const { uid, name, namespace, revision } of desired?.daemonSets ?? []) {
    if (revision === '' || pods.get(uid)?.revision === revision) continue;
    pods.set(uid, {
      uid: randomUUID(),
      namespace,
      name,
      daemonSetUid: uid,
      daemonSetName: name,
      revision,
      ...DOWN,
      terminating: false,
      graceSeconds: 30,
      statusJson: '{}',
      createdAt: nowText(),
      unknown: false,
      accountVolume: '',
    });
  }
}

const RUN = { decision: 'Run', reasons: [], progress: '' } as const;

function report(fleet: Fleet, { name, session, desired, pods }: BenchNode): void {
  const shown = [...pods.values()];
  const placements = (desired?.daemonSets ?? []).map(({ uid }) => ({ daemonSetUid: uid, ...RUN }));
  fleet.change(name, {
    session,
    reported: true,
    report: { generation: desired?.generation, facts: undefined, placements, pods: shown, events: [] },
    podsBySet: indexPods(shown),
  });
}

/** The loop has nothing more to write: it waits for the store between any two steps. */
async function quiet(store: Store): Promise<void> {
  for (let calm = 0, before = store.version(); calm < 3; calm++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (store.version() !== before) calm = 0;
    before = store.version();
  }
}
