// A plane's file with so many nodes and pods in it, as a plane that was stopped leaves it.
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { keyHashOf, NODE_RECORDS } from '@fleetset/plane/fleet/node-record';
import { openSqliteStore } from '@fleetset/plane/store/sqlite-store';
import type { Write } from '@fleetset/plane/store/store';

const AT = '2026-11-22T10:00:00Z';
export const nameOf = (index: number): string => `node-${String(index).padStart(5, '0')}`;

const node = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name,
    uid: randomUUID(),
    creationTimestamp: AT,
    labels: {
      'kubernetes.io/hostname': name,
      'kubernetes.io/arch': 'amd64',
      'kubernetes.io/os': 'linux',
      zone: 'a',
    },
  },
  spec: {},
  status: {
    capacity: { cpu: '4', memory: '8148708Ki', pods: '110', 'ephemeral-storage': '102350Mi' },
    allocatable: { cpu: '3800m', memory: '7148708Ki', pods: '110', 'ephemeral-storage': '92350Mi' },
    conditions: ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'Ready'].map((type) => ({
      type,
      status: type === 'Ready' ? 'True' : 'False',
      reason: 'AgentReady',
      message: 'the agent is well and its engine answers',
      lastHeartbeatTime: AT,
      lastTransitionTime: AT,
    })),
    addresses: [
      { type: 'InternalIP', address: '10.0.0.7' },
      { type: 'Hostname', address: name },
    ],
    nodeInfo: {
      kernelVersion: '6.1.0',
      osImage: 'Debian GNU/Linux 12',
      containerRuntimeVersion: 'docker://20.10.24',
    },
  },
});

const pod = (nodeName: string, index: number) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: `web-${String(index).padStart(5, '0')}`,
    namespace: 'default',
    uid: randomUUID(),
    creationTimestamp: AT,
    labels: { app: 'web', 'controller-revision-hash': '5d8f7c9b6d', 'pod-template-generation': '1' },
    ownerReferences: [
      { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'web', uid: randomUUID(), controller: true },
    ],
  },
  spec: {
    nodeName,
    containers: ['main', 'log'].map((name) => ({
      name,
      image: `example/${name}:1`,
      ports: [{ containerPort: 8080, protocol: 'TCP' }],
      env: [{ name: 'NODE', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'spec.nodeName' } } }],
      resources: { limits: { memory: '64Mi' }, requests: { cpu: '10m', memory: '32Mi' } },
      terminationMessagePath: '/dev/termination-log',
      imagePullPolicy: 'IfNotPresent',
    })),
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    tolerations: [{ key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' }],
  },
  status: {
    phase: 'Running',
    conditions: ['Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map((type) => ({
      type,
      status: 'True',
      lastTransitionTime: AT,
    })),
    containerStatuses: ['main', 'log'].map((name) => ({
      name,
      ready: true,
      restartCount: 0,
      image: `example/${name}:1`,
      containerID: `docker://${'0'.repeat(64)}`,
      state: { running: { startedAt: AT } },
    })),
    podIP: '10.0.0.8',
    startTime: AT,
  },
});

/** `key`: of the first node, for an agent that is to speak for it. */
export async function writeObjects(dataDir: string, count: number, key: Uint8Array): Promise<void> {
  mkdirSync(dataDir, { recursive: true });
  const store = openSqliteStore(join(dataDir, 'plane.db'));
  const writes = Array.from({ length: count }, (_, index): Write[] => {
    const name = nameOf(index);
    const record = { name, keyHash: index === 0 ? keyHashOf(key) : '', ownLabels: {}, ownTaints: [] };
    return [
      { collection: 'core/nodes', id: name, value: node(name), durable: true },
      { collection: NODE_RECORDS, id: name, value: record, durable: true },
      {
        collection: 'core/pods',
        id: `default/web-${String(index).padStart(5, '0')}`,
        value: pod(name, index),
        durable: true,
      },
    ];
  });
  await store.commit(writes.flat());
  await store.close();
}
