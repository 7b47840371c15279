// One node that answers at once: what it does with what it is told, and what it reports.
import { randomUUID } from 'node:crypto';
import type { Session } from '@fleetset/plane/fleet/fleet';
import { type NodeDesired, NodeReport, type PodReport } from '@fleetset/proto/gen/fleetset/v1/node';

export const nowText = () => '2030-01-01T00:00:00Z';

export interface BenchNode {
  readonly name: string;
  readonly session: Session;
  desired?: NodeDesired;
  held: boolean;
  shaken: boolean;
  /** By DaemonSet uid. */
  readonly pods: Map<string, PodReport>;
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
export const UP = podStatus(true);
export const DOWN = podStatus(false);

export function newNode(index: number): BenchNode {
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
      isBlank: false,
      send: (message) => {
        if (message.$case === 'desired') node.desired = message.value;
      },
      end: () => {},
      gone: new AbortController().signal,
    },
  };
  return node;
}

export function doAsTold({ desired, pods }: BenchNode): void {
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

export function saidBy({ name, desired, pods, held, shaken }: BenchNode): NodeReport {
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
export const reportOf = (node: BenchNode): NodeReport =>
  NodeReport.decode(NodeReport.encode(saidBy(node)).finish());
