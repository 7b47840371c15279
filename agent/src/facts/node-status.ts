// The node's own labels and the part of NodeStatus that it tells, from its facts.
import { type NodePressure, pressureConditions } from '@fleetset/scheduler-core/node/node-pressure';
import type { NodeCondition, NodeStatus } from '@fleetset/scheduler-core/schema/node';
import type { NodeSettings } from '../node-settings.ts';
import type { MachineFacts } from './machine-facts.ts';

/** As kubelet allows by default. */
const MOST_PODS = 110;

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
  /** The machine ends, and its pods with it. */
  readonly shuttingDown?: boolean;
  readonly pressure: NodePressure;
  readonly reserved: NodeSettings['reserved'];
}

export function nodeStatus(input: NodeStatusInput): NodeStatus {
  const { facts, nodeName, reserved } = input;
  return {
    capacity: resources(facts, NOTHING_RESERVED),
    allocatable: resources(facts, reserved),
    conditions: [
      ...pressureConditions(input.pressure),
      readyCondition(input),
      ...(input.held ? [heldCondition(input.held)] : []),
    ],
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

const NOTHING_RESERVED: NodeSettings['reserved'] = { cpuMillis: 0, memoryBytes: 0, diskBytes: 0 };

/** What is left for pods; never less than nothing. */
export function leftForPods(facts: MachineFacts, reserved: NodeSettings['reserved']) {
  return {
    cpuMilli: Math.max(0, facts.cpus * 1000 - reserved.cpuMillis),
    memoryBytes: Math.max(0, facts.memoryBytes - reserved.memoryBytes),
    diskBytes: Math.max(0, facts.diskBytes - reserved.diskBytes),
    pods: MOST_PODS,
  };
}

function resources(facts: MachineFacts, reserved: NodeSettings['reserved']) {
  const { cpuMilli, memoryBytes, diskBytes, pods } = leftForPods(facts, reserved);
  const kibibytes = (bytes: number) => `${Math.floor(bytes / 1024)}Ki`;
  return {
    cpu: cpuMilli % 1000 === 0 ? String(cpuMilli / 1000) : `${cpuMilli}m`,
    memory: kibibytes(memoryBytes),
    ...(facts.diskBytes > 0 ? { 'ephemeral-storage': kibibytes(diskBytes) } : {}),
    pods: String(pods),
  };
}

function readyCondition({ engineTrouble, shuttingDown }: NodeStatusInput): NodeCondition {
  if (shuttingDown)
    return {
      type: 'Ready',
      status: 'False',
      reason: 'NodeShutdown',
      message: 'The machine is shutting down.',
    };
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
