// What a pod asks of its node, and whether that is there beside what others ask (rules 76 and 83).
import { milliUnits, parseQuantity, wholeUnits } from '../quantity.ts';
import type { Container } from '../schema/container.ts';
import type { PodSpec } from '../schema/pod.ts';
import { isSidecar } from './pod-record.ts';

export interface Requests {
  readonly cpuMilli: number;
  readonly memoryBytes: number;
}

/** What pods may have of a node altogether. */
export interface NodeRoom extends Requests {
  readonly pods: number;
}

const NOTHING: Requests = { cpuMilli: 0, memoryBytes: 0 };

export const addRequests = (a: Requests, b: Requests): Requests => ({
  cpuMilli: a.cpuMilli + b.cpuMilli,
  memoryBytes: a.memoryBytes + b.memoryBytes,
});

const larger = (a: Requests, b: Requests): Requests => ({
  cpuMilli: Math.max(a.cpuMilli, b.cpuMilli),
  memoryBytes: Math.max(a.memoryBytes, b.memoryBytes),
});

/** All that runs together, or the most that one init container needs beside the sidecars that run by then. */
export function mostTogether(
  { initContainers = [], containers }: PodSpec,
  of: (container: Container) => Requests,
): Requests {
  let sidecars = NOTHING;
  let most = NOTHING;
  for (const container of initContainers) {
    const own = of(container);
    if (isSidecar(container)) sidecars = addRequests(sidecars, own);
    most = larger(most, isSidecar(container) ? sidecars : addRequests(sidecars, own));
  }
  return larger(most, containers.map(of).reduce(addRequests, sidecars));
}

export const podRequests = (spec: PodSpec): Requests => mostTogether(spec, requestsOf);

const requestsOf = ({ resources }: Container): Requests => ({
  cpuMilli: amount(resources?.requests?.cpu ?? resources?.limits?.cpu, milliUnits),
  memoryBytes: amount(resources?.requests?.memory ?? resources?.limits?.memory, wholeUnits),
});

function amount(
  text: string | undefined,
  unit: (quantity: NonNullable<ReturnType<typeof parseQuantity>>) => number,
): number {
  const quantity = text === undefined ? undefined : parseQuantity(text);
  return quantity ? unit(quantity) : 0;
}

/** What there is not enough of, as the scheduler says it; undefined when it fits. */
export function unfitMessage(
  wanted: Requests,
  used: Requests & { readonly pods: number },
  room: NodeRoom,
): string | undefined {
  const lacks = (name: keyof Requests) => wanted[name] > 0 && used[name] + wanted[name] > room[name];
  const reasons = [
    ...(lacks('cpuMilli') ? ['Insufficient cpu'] : []),
    ...(lacks('memoryBytes') ? ['Insufficient memory'] : []),
    ...(used.pods + 1 > room.pods ? ['Too many pods'] : []),
  ];
  return reasons.length > 0
    ? `0/1 nodes are available: ${reasons.map((reason) => `1 ${reason}`).join(', ')}.`
    : undefined;
}
