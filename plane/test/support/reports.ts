// What a node says of itself, with everything a test does not care about filled in.
import { randomUUID } from 'node:crypto';
import type {
  AgentEvent,
  Generation,
  NodeDesired,
  NodeFacts,
  NodeReport,
  Placement,
  PodReport,
} from '@fleetset/proto/gen/fleetset/v1/node';
import type { Json } from './api-client.ts';
import type { HollowStream } from './hollow-agent.ts';

export const nodeStatus = (more: Json = {}): Json => ({
  capacity: { cpu: '2', memory: '4Gi', pods: '110' },
  conditions: [{ type: 'Ready', status: 'True', reason: 'AgentReady', message: 'ready' }],
  addresses: [{ type: 'InternalIP', address: '10.0.0.7' }],
  nodeInfo: {
    kubeletVersion: 'fleetset-test',
    osImage: 'Debian',
    kernelVersion: '6.1',
    containerRuntimeVersion: 'docker://1',
  },
  ...more,
});

export const facts = (
  nodeName: string,
  more: Partial<Omit<NodeFacts, 'statusJson'>> & { readonly status?: Json } = {},
): NodeFacts => ({
  labels: { 'kubernetes.io/hostname': nodeName, ...more.labels },
  taints: [...(more.taints ?? [])],
  statusJson: JSON.stringify(more.status ?? nodeStatus()),
  holds: more.holds ?? [],
  maintenance: more.maintenance,
});

export const report = (nodeName: string, more: Partial<NodeReport> = {}): NodeReport => ({
  generation: undefined,
  facts: facts(nodeName),
  placements: [],
  pods: [],
  events: [],
  ...more,
});

/** `set`: the DaemonSet as the API shows it. */
export const placement = (set: Json, decision: 'Run' | 'Keep' | 'Leave', more: Partial<Placement> = {}) => ({
  daemonSetUid: set.metadata.uid as string,
  decision,
  reasons: [{ code: 'Eligible', message: 'no taint forbids it' }],
  progress: '',
  ...more,
});

export function podReport(set: Json, revision: string, more: Partial<PodReport> = {}): PodReport {
  const ready = more.ready ?? true;
  return {
    uid: randomUUID(),
    namespace: set.metadata.namespace,
    name: `${set.metadata.name}-${randomUUID().slice(0, 5)}`,
    daemonSetUid: set.metadata.uid,
    daemonSetName: set.metadata.name,
    revision,
    accountVolume: '',
    pullSecrets: [],
    ready,
    available: more.available ?? ready,
    terminating: false,
    graceSeconds: 0,
    statusJson: JSON.stringify(podStatus(ready)),
    unknown: false,
    createdAt: '2030-01-02T03:04:05Z',
    ...more,
  };
}

export const podStatus = (ready: boolean, more: Json = {}): Json => ({
  phase: 'Running',
  podIP: '10.0.0.7',
  conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
  containerStatuses: [
    {
      name: 'main',
      ready,
      restartCount: 0,
      image: 'i',
      imageID: '',
      state: { running: { startedAt: '2030-01-02T03:04:05Z' } },
    },
  ],
  ...more,
});

let sequence = 0;
export const agentEvent = (more: Partial<AgentEvent> = {}): AgentEvent => ({
  sequence: ++sequence,
  type: 'Normal',
  reason: 'Pulled',
  message: 'Container image is already present',
  podUid: '',
  daemonSetUid: '',
  fieldPath: '',
  ...more,
});

export const newest = (stream: HollowStream): NodeDesired | undefined => stream.desired().at(-1);
export const generationOf = (stream: HollowStream): Generation | undefined => newest(stream)?.generation;
