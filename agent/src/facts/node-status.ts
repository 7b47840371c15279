// The node's own labels and the part of NodeStatus that it tells, from its facts.
import type { NodeCondition, NodeStatus } from '@fleetset/scheduler-core/schema/node';
import type { MachineFacts } from './machine-facts.ts';

/** As kubelet allows by default. */
export const MOST_PODS = 110;

/** As Kubernetes sets them on every node. They win over a config file that says otherwise. */
export function automaticLabels(nodeName: string, facts: MachineFacts): { readonly [key: string]: string } {
  const { operatingSystem, architecture } = facts;
  return {
    'kubernetes.io/hostname': nodeName,
    'kubernetes.io/os': operatingSystem,
    'kubernetes.io/arch': architecture,
    'beta.kubernetes.io/os': operatingSystem,
    'beta.kubernetes.io/arch': architecture,
  };
}

export interface NodeStatusInput {
  readonly nodeName: string;
  readonly facts: MachineFacts;
  readonly agentVersion: string;
  /** As docker://20.10.24; absent while the engine has not answered. */
  readonly runtimeVersion: string | undefined;
  readonly engineTrouble: string | undefined;
  /** Who holds the node, and why. */
  readonly held?: string | undefined;
}

export function nodeStatus(input: NodeStatusInput): NodeStatus {
  const { facts, nodeName } = input;
  const resources = {
    cpu: String(facts.cpus),
    memory: `${Math.floor(facts.memoryBytes / 1024)}Ki`,
    ...(facts.diskBytes > 0 ? { 'ephemeral-storage': `${Math.floor(facts.diskBytes / 1024)}Ki` } : {}),
    pods: String(MOST_PODS),
  };
  return {
    capacity: resources,
    allocatable: resources,
    conditions: [readyCondition(input.engineTrouble), ...(input.held ? [heldCondition(input.held)] : [])],
    addresses: [
      ...(facts.ip ? [{ type: 'InternalIP', address: facts.ip }] : []),
      { type: 'Hostname', address: nodeName },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: 0 } },
    nodeInfo: {
      machineID: facts.machineId,
      systemUUID: facts.systemUuid,
      bootID: facts.bootId,
      kernelVersion: facts.kernelVersion,
      osImage: facts.osImage,
      containerRuntimeVersion: input.runtimeVersion ?? '',
      kubeletVersion: `v${input.agentVersion}`,
      kubeProxyVersion: '',
      operatingSystem: facts.operatingSystem,
      architecture: facts.architecture,
    },
  };
}

function readyCondition(engineTrouble: string | undefined): NodeCondition {
  return engineTrouble === undefined
    ? {
        type: 'Ready',
        status: 'True',
        reason: 'AgentReady',
        message: 'The agent and its Docker engine are up.',
      }
    : { type: 'Ready', status: 'False', reason: 'ContainerRuntimeNotReady', message: engineTrouble };
}

/** What runs here is not replaced: seen in `kubectl describe node`. */
const heldCondition = (message: string): NodeCondition => ({
  type: 'Held',
  status: 'True',
  reason: 'LocalHold',
  message,
});
