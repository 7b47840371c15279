// core/v1 Node.

import { objectMeta } from './meta.ts';
import { taint } from './scheduling.ts';
import {
  any,
  flag,
  type Infer,
  int32,
  list,
  listByKey,
  map,
  object,
  quantity,
  string,
  time,
} from './schema.ts';

const core = (kind: string) => `io.k8s.api.core.v1.${kind}`;

const nodeSpec = object(core('NodeSpec'), {
  podCIDR: string(),
  podCIDRs: list(string(), { mergeKey: '', mapKeys: [] }),
  providerID: string(),
  unschedulable: flag,
  taints: list(taint),
  configSource: any,
  externalID: string(),
});

const nodeCondition = object(
  core('NodeCondition'),
  {
    type: string(),
    status: string(),
    lastHeartbeatTime: time,
    lastTransitionTime: time,
    reason: string(),
    message: string(),
  },
  ['type', 'status'],
);
export interface NodeCondition extends Infer<typeof nodeCondition> {}

const nodeSystemInfo = object(core('NodeSystemInfo'), {
  machineID: string(),
  systemUUID: string(),
  bootID: string(),
  kernelVersion: string(),
  osImage: string(),
  containerRuntimeVersion: string(),
  kubeletVersion: string(),
  kubeProxyVersion: string(),
  operatingSystem: string(),
  architecture: string(),
  swap: any,
});

const nodeStatus = object(core('NodeStatus'), {
  capacity: map(quantity),
  allocatable: map(quantity),
  phase: string(),
  conditions: listByKey(nodeCondition, 'type'),
  addresses: listByKey(
    object(core('NodeAddress'), { type: string(), address: string() }, ['type', 'address']),
    'type',
  ),
  daemonEndpoints: object(core('NodeDaemonEndpoints'), {
    kubeletEndpoint: object(core('DaemonEndpoint'), { Port: int32() }, ['Port']),
  }),
  nodeInfo: nodeSystemInfo,
  images: list(any),
  volumesInUse: list(string()),
  volumesAttached: list(any),
  config: any,
  runtimeHandlers: list(any),
  features: any,
});
export interface NodeStatus extends Infer<typeof nodeStatus> {}

export const node = object(core('Node'), {
  apiVersion: string(),
  kind: string(),
  metadata: objectMeta,
  spec: nodeSpec,
  status: nodeStatus,
});
export interface Node extends Infer<typeof node> {}
