// A pod's quality of service (rule 109) and what it means for the kernel's choice of victims (rule 110).
import { parseQuantity, wholeUnits } from '../quantity.ts';
import type { Container } from '../schema/container.ts';
import type { PodSpec } from '../schema/pod.ts';
import { isSidecar } from './pod-record.ts';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

const COUNTED = ['cpu', 'memory'] as const;

const amount = (quantity: string | undefined): bigint =>
  quantity === undefined ? 0n : (parseQuantity(quantity)?.nano ?? 0n);

export function qosClass(spec: PodSpec): QosClass {
  const containers = [...(spec.containers ?? []), ...(spec.initContainers ?? [])];
  const asks = (container: Container) =>
    COUNTED.some((name) => amount(limit(container, name)) > 0n || amount(request(container, name)) > 0n);
  if (!containers.some(asks)) return 'BestEffort';
  const full = (container: Container) =>
    COUNTED.every((name) => {
      const most = amount(limit(container, name));
      return most > 0n && amount(request(container, name)) === most;
    });
  return containers.every(full) ? 'Guaranteed' : 'Burstable';
}

const limit = (container: Container, name: string) => container.resources?.limits?.[name];
/** Rule 76: a request that is absent is the limit. */
const request = (container: Container, name: string) =>
  container.resources?.requests?.[name] ?? limit(container, name);

/** oom_score_adj of one container; `nodeMemoryBytes` is the machine's capacity. */
export function oomScoreAdjust(spec: PodSpec, container: Container, nodeMemoryBytes: number): number {
  const critical = spec.priorityClassName === 'system-node-critical';
  const qos = qosClass(spec);
  if (critical || qos === 'Guaranteed') return -997;
  if (qos === 'BestEffort') return 1000;
  const shareOf = (one: Container): number => {
    const requested = parseQuantity(request(one, 'memory') ?? '0');
    return requested ? Math.floor((1000 * wholeUnits(requested)) / nodeMemoryBytes) : 0;
  };
  // A sidecar is not killed before the main containers that need it.
  const isInit = spec.initContainers?.some(({ name }) => name === container.name) ?? false;
  const least = isInit && isSidecar(container) ? Math.min(...spec.containers.map(shareOf)) : 0;
  return Math.min(999, Math.max(3, 1000 - Math.max(shareOf(container), least)));
}
