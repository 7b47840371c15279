// Pods that must not start now: they do not fit beside the others, or a port of the node that they need is taken. Found
// before the pod they replace is stopped: that one makes room for them, and is no clash.
import type { PodTemplateSpec } from '../schema/pod.ts';
import { lastingContainers, type PodRecord } from './pod-record.ts';
import { addRequests, type NodeRoom, podRequests, unfitMessage } from './pod-requests.ts';

export interface Block {
  readonly reason: 'Unschedulable' | 'HostPortConflict';
  readonly message: string;
}

/** A port of the node, as a pod claims it. */
export interface PortClaim {
  readonly protocol: string;
  readonly port: number;
  /** Absent: every address. */
  readonly ip?: string;
}

/** A port on which something of the machine listens. */
export interface TakenPort extends PortClaim {
  /** "nginx (process 123)"; absent when it is not known. */
  readonly program?: string;
  /** Whose container the process is in, if it is in one of ours. */
  readonly podUid?: string;
}

export interface BlockedInput {
  readonly pods: readonly CandidatePod[];
  readonly room: NodeRoom;
  readonly taken: readonly TakenPort[];
}

export interface CandidatePod {
  readonly record: PodRecord;
  readonly template?: PodTemplateSpec;
  /** Something of it was started at some time: it is let in. */
  readonly started: boolean;
  /** It does not stop for its successor: that one needs room of its own. */
  readonly stays: boolean;
}

/** Ports that the pod says it listens on: on the host's network every port it names (rule 77). */
export function portClaims({ spec }: PodTemplateSpec): readonly PortClaim[] {
  if (!spec) return [];
  return lastingContainers(spec).flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostPort, containerPort, hostIP, protocol = 'TCP' }): PortClaim[] => {
      const port = hostPort || (spec.hostNetwork ? containerPort : 0);
      return port ? [{ protocol, port, ...(hostIP && !isEvery(hostIP) ? { ip: hostIP } : {}) }] : [];
    }),
  );
}

const isEvery = (ip: string): boolean => ip === '0.0.0.0' || ip === '::';

export const clashes = (a: PortClaim, b: PortClaim): boolean =>
  a.protocol === b.protocol &&
  a.port === b.port &&
  (a.ip === undefined || b.ip === undefined || a.ip === b.ip);

export function blockedPods({ pods, room, taken }: BlockedInput): ReadonlyMap<string, Block> {
  const blocked = new Map<string, Block>();
  const admitted = pods.filter(({ started }) => started);
  const waiting = pods.filter(({ started }) => !started).sort(oldestFirst);
  for (const pod of waiting) {
    const beside = admitted.filter(
      (other) => other.stays || other.record.daemonSetUid !== pod.record.daemonSetUid,
    );
    const block = resourceBlock(pod, beside, room) ?? portBlock(pod, pods, beside, taken);
    if (block) blocked.set(pod.record.uid, block);
    else admitted.push({ ...pod, stays: false });
  }
  return blocked;
}

const oldestFirst = ({ record: a }: CandidatePod, { record: b }: CandidatePod): number =>
  a.createdAt < b.createdAt ? -1 : a.createdAt > b.createdAt ? 1 : a.name < b.name ? -1 : 1;

function resourceBlock(
  { template }: CandidatePod,
  beside: readonly CandidatePod[],
  room: NodeRoom,
): Block | undefined {
  if (!template?.spec) return undefined;
  const requestsOf = (pod: CandidatePod) => podRequests(pod.template?.spec ?? { containers: [] });
  const used = beside.map(requestsOf).reduce(addRequests, { cpuMilli: 0, memoryBytes: 0 });
  const message = unfitMessage(podRequests(template.spec), { ...used, pods: beside.length }, room);
  return message === undefined ? undefined : { reason: 'Unschedulable', message };
}

function portBlock(
  { record, template }: CandidatePod,
  pods: readonly CandidatePod[],
  beside: readonly CandidatePod[],
  taken: readonly TakenPort[],
): Block | undefined {
  const claims = template ? portClaims(template) : [];
  const claimsOf = (pod: CandidatePod) => (pod.template ? portClaims(pod.template) : []);
  // Of the pod it replaces a surge waits for the port in its own way.
  const others = beside.filter((pod) => pod.record.daemonSetUid !== record.daemonSetUid);
  for (const claim of claims) {
    const other = others.find((pod) => claimsOf(pod).some((one) => clashes(one, claim)));
    if (other) return conflict(claim, `pod ${other.record.namespace}/${other.record.name}`);
    // What a pod that is known claims is its own: it is in the way as a pod, or goes first.
    const isKnown = pods.some((pod) => pod.started && claimsOf(pod).some((one) => clashes(one, claim)));
    const ownSet = (podUid: string | undefined) =>
      pods.some((pod) => pod.record.uid === podUid && pod.record.daemonSetUid === record.daemonSetUid);
    const socket = taken.find((one) => clashes(one, claim) && !ownSet(one.podUid));
    if (socket && !isKnown) return conflict(claim, whoListens(socket, pods));
  }
  return undefined;
}

function whoListens({ program, podUid }: TakenPort, pods: readonly CandidatePod[]): string {
  const pod = pods.find(({ record }) => record.uid === podUid)?.record;
  if (pod) return `pod ${pod.namespace}/${pod.name}, whose manifest does not name it`;
  return program ?? 'a program of the machine';
}

const conflict = ({ protocol, port, ip }: PortClaim, who: string): Block => ({
  reason: 'HostPortConflict',
  message: `port ${port}/${protocol} of the node${ip ? ` on ${ip}` : ''} is taken by ${who}`,
});
