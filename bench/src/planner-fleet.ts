// Nodes that answer at once, with no wire between them and the plane and no containers. The plane is its rollout loop
// alone over a store in memory, so that what is left is what planning costs; or the whole core over a store on disk.
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { newTokenKey, readTokenKey } from '@fleetset/plane/authentication/json-web-token';
import { createEventRecorder } from '@fleetset/plane/events/event-recorder';
import { createFleet, reportedChange, type Session } from '@fleetset/plane/fleet/fleet';
import { NODE_RECORDS } from '@fleetset/plane/fleet/node-record';
import { type PlaneCore, startPlaneCore } from '@fleetset/plane/plane-core';
import { createBodyBook } from '@fleetset/plane/rollout/body-book';
import { createConfigRollouts } from '@fleetset/plane/rollout/config-rollouts';
import { openConfigSnapshots } from '@fleetset/plane/rollout/config-snapshots';
import { openGrantBook } from '@fleetset/plane/rollout/grants';
import { startRolloutLoop } from '@fleetset/plane/rollout/rollout-loop';
import { openRolloutRecords } from '@fleetset/plane/rollout/rollout-records';
import { openSqliteStore } from '@fleetset/plane/store/sqlite-store';
import type { Store, StoredValue } from '@fleetset/plane/store/store';
import { type NodeDesired, NodeReport, type PodReport } from '@fleetset/proto/gen/fleetset/v1/node';
import type { UpdateStrategy } from '@fleetset/scheduler-core/rollout/update-strategy';
import type { RolloutPolicySpec } from '@fleetset/scheduler-core/schema/rollout-policy';
import { pino } from 'pino';

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

const API = { host: '192.0.2.1', port: 6443 };
const nowText = () => '2030-01-01T00:00:00Z';

const fail = (error: unknown): void => {
  throw error;
};

type Parts = Pick<PlaneCore, 'fleet' | 'grants' | 'records'> & { readonly store: Store };

interface BenchPlane<P extends Parts> {
  readonly parts: P;
  readonly connect: (node: BenchNode) => void;
  readonly hear: (node: BenchNode, report: NodeReport) => void;
  /** Its rollouts are looked at again. */
  readonly touch: (nodeName: string) => void;
  readonly close: () => Promise<void>;
}

export async function startLoopAlone() {
  const store = openSqliteStore(':memory:', fail);
  const monotonicNow = () => performance.now();
  const fleet = createFleet(monotonicNow);
  const grants = openGrantBook(store);
  const records = openRolloutRecords(store);
  const bodies = createBodyBook();
  const snapshots = await openConfigSnapshots(store, bodies);
  const configs = createConfigRollouts(store, snapshots);
  const parts = { store, fleet, grants, records, bodies, snapshots, configs, nowText, monotonicNow };
  const recorder = createEventRecorder(store, nowText, fail);
  const loop = startRolloutLoop({ ...parts, recorder, api: () => API, onFailure: fail });
  return {
    parts,
    connect: ({ name, session }: BenchNode) => fleet.change(name, { session }),
    hear: ({ name }: BenchNode, report: NodeReport) => {
      fleet.change(name, reportedChange(fleet.state(name), report));
      loop.touchNode(name);
    },
    touch: loop.touchNode,
    close: async () => {
      recorder.close();
      await loop.stop();
      await store.close();
    },
  };
}

/** `folder`: where its store is. */
export async function startWholeCore(folder: string) {
  const store = openSqliteStore(join(folder, 'plane.db'), fail);
  const logger = pino({ level: 'error' });
  const keys = [readTokenKey(newTokenKey())] as const;
  const core = await startPlaneCore({
    store,
    nodeMonitorGraceMs: 3_600_000,
    version: 'bench',
    logger,
    nowText,
    wallNow: () => Date.parse(nowText()),
    caCertificate: 'none',
    tokenKeys: { all: () => keys },
    apiEndpoint: () => API,
  });
  const { fleet, grants, records, sessions, rollout } = core;
  return {
    parts: { store, fleet, grants, records },
    connect: ({ name, session }: BenchNode) => {
      const hello = {
        protocol: 1,
        agentVersion: 'bench',
        instanceId: name,
        machineId: name,
        accepted: undefined,
      };
      if (!sessions.admit({ nodeName: name, keyHash: name }, hello, session))
        fail(new Error(`${name} is refused`));
    },
    hear: ({ session }: BenchNode, report: NodeReport) =>
      sessions.receive(session, { $case: 'report', value: report }),
    touch: rollout.touchNode,
    close: core.stop,
  };
}

interface BenchNode {
  readonly name: string;
  readonly session: Session;
  desired?: NodeDesired;
  held: boolean;
  shaken: boolean;
  /** By DaemonSet uid. */
  readonly pods: Map<string, PodReport>;
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

const podStatus = (ready: boolean) => ({
  ready,
  available: ready,
  statusJson: JSON.stringify({
    phase: 'Running',
    podIP: '10.0.0.7',
    conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    containerStatuses: [
      {
        name: 'main',
        ready,
        restartCount: 0,
        image: 'app',
        imageID: '',
        state: { running: { startedAt: nowText() } },
      },
    ],
  }),
});
const UP = podStatus(true);
const DOWN = podStatus(false);

function newNode(index: number): BenchNode {
  const name = `node-${String(index).padStart(5, '0')}`;
  const node: BenchNode = {
    name,
    held: false,
    shaken: false,
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

const TIME_ZONES = ['Europe/Berlin', 'Europe/London', 'Asia/Tokyo', 'UTC'];

function nodeWrites(name: string, index: number) {
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
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '10%' } as object },
      template,
    },
  };
}

const policyOf = (spec: RolloutPolicySpec) => ({
  apiVersion: 'fleetset.dev/v1',
  kind: 'RolloutPolicy',
  metadata: { name: 'bench', namespace: 'default', uid: 'bench' },
  spec: { selector: {}, ...spec },
});

const put = (store: Store, collection: string, id: string, value: object) =>
  store.commit([{ collection, id, value: value as StoredValue, durable: true }]);

async function change(store: Store, id: string, image: string, strategy: Paced['strategy']): Promise<void> {
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

function doAsTold({ desired, pods }: BenchNode): void {
  for (const { uid, name, namespace, revision } of desired?.daemonSets ?? []) {
    if (revision === '' || pods.get(uid)?.revision === revision) continue;
    pods.set(uid, {
      uid: randomUUID(),
      namespace,
      name: `${name}-${randomUUID().slice(0, 5)}`,
      daemonSetUid: uid,
      daemonSetName: name,
      revision,
      ...DOWN,
      terminating: false,
      graceSeconds: 30,
      createdAt: nowText(),
      unknown: false,
      accountVolume: '',
      pullSecrets: [],
    });
  }
}

const RUN = { decision: 'Run', reasons: [], progress: '' } as const;
const nodeStatus = (ready: string) =>
  JSON.stringify({
    capacity: { cpu: '2', memory: '4Gi', pods: '110' },
    conditions: [{ type: 'Ready', status: ready, reason: 'AgentReady', message: 'ready' }],
    addresses: [{ type: 'InternalIP', address: '10.0.0.7' }],
  });
const HOLD = { owner: 'ann', reason: 'looks at it', until: nowText() };

function saidBy({ name, desired, pods, held, shaken }: BenchNode): NodeReport {
  const facts = {
    labels: { 'kubernetes.io/hostname': name, disk: 'ssd' },
    taints: [],
    statusJson: nodeStatus(shaken ? 'False' : 'True'),
    holds: held ? [HOLD] : [],
    maintenance: undefined,
  };
  const placements = (desired?.daemonSets ?? []).map(({ uid }) => ({ daemonSetUid: uid, ...RUN }));
  return { generation: desired?.generation, facts, placements, pods: [...pods.values()], events: [] };
}

/** As it comes over the wire: no text of it is shared with another node's. */
const reportOf = (node: BenchNode): NodeReport => NodeReport.decode(NodeReport.encode(saidBy(node)).finish());

/** The loop has nothing more to write: it waits for the store between any two steps. */
async function quiet(store: Store): Promise<void> {
  for (let calm = 0, before = store.version(); calm < 5; calm++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (store.version() !== before) calm = 0;
    before = store.version();
  }
}
