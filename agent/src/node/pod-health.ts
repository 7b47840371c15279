// How a pod is, from the last look at its containers and what their probes said to this agent: what the node decides
// by under a surge, and what it reports.

import {
  HOLDER,
  lastingContainers,
  type PodHealth,
  type PodRecord,
} from '@fleetset/scheduler-core/node/pod-record';
import {
  availableInMs,
  type MachineTime,
  markReady,
  type ReadyMark,
} from '@fleetset/scheduler-core/node/ready-since';
import type { ContainerHealth } from '@fleetset/scheduler-core/probe-state';
import type { RuntimeContainer } from '../runtime/container-runtime.ts';
import type { BodyFiles } from '../state/body-files.ts';
import type { KnownPod, PodBook } from '../state/pod-book.ts';
import { templateOf } from './desired-state.ts';

export interface HealthSources {
  readonly pods: PodBook;
  readonly bodies: BodyFiles;
  readonly healthOf: (containerId: string) => ContainerHealth | undefined;
  readonly isKnown: (containerId: string) => boolean;
  readonly machineTime: MachineTime;
}

export interface FoundHealth {
  /** False when its template is missing, or a probe of it has not answered this agent yet. */
  readonly known: boolean;
  /** By what is known; undefined when it is not ready, or never was as far as anybody remembers. */
  readonly mark?: ReadyMark;
  /** Until it has been ready for minReadySeconds; undefined when it is not ready. */
  readonly availableInMs?: number;
}

/** `containers`: the pod's own, at least. */
export function podHealth(
  { pods, bodies, healthOf, isKnown, machineTime }: HealthSources,
  record: PodRecord,
  containers: readonly RuntimeContainer[],
  minReadyMs: number,
): FoundHealth {
  const { uid } = record;
  const own = containers.filter(({ identity }) => identity.pod.uid === uid);
  const running = own.filter(({ state }) => state === 'running');
  const spec = templateOf(bodies, record)?.spec;
  const known =
    spec !== undefined && running.every(({ id, identity }) => identity.name === HOLDER || isKnown(id));
  const isReady = (name: string) => {
    const attempts = own.filter(({ identity }) => identity.name === name);
    const newest = attempts.sort((a, b) => b.identity.attempt - a.identity.attempt)[0];
    return newest?.state === 'running' && (healthOf(newest.id)?.ready ?? false);
  };
  const before = pods.get(uid)?.seen?.ready;
  const ready = spec !== undefined && lastingContainers(spec).every(({ name }) => isReady(name));
  const mark = known ? markReady(before, ready, idsOf(running), machineTime) : before;
  const inMs = availableInMs(mark, minReadyMs, machineTime);
  return { known, ...(mark ? { mark } : {}), ...(inMs === undefined ? {} : { availableInMs: inMs }) };
}

/** As planning takes it, by its clock: undefined while it is not known. */
export function plannedHealth({ known, availableInMs }: FoundHealth, now: number): PodHealth | undefined {
  if (!known) return undefined;
  return availableInMs === undefined ? { ready: false } : { ready: true, availableAt: now + availableInMs };
}

const shortOf = (id: string): string => id.slice(0, 12);

const idsOf = (running: readonly RuntimeContainer[]): string =>
  running
    .map(({ id }) => shortOf(id))
    .sort()
    .join(' ');

/** Between two clocks of one machine. */
const CLOCK_SLACK_MS = 1000;

/** It was ready with its pod when an agent wrote that down last, and has not been started anew since. */
export function wasReady(
  seen: KnownPod['seen'],
  { id, ranForMs }: { readonly id: string; readonly ranForMs: number },
  { bootId, upMs }: MachineTime,
): boolean {
  const mark = seen?.ready;
  return (
    mark?.bootId === bootId &&
    upMs - mark.sinceMs <= ranForMs + CLOCK_SLACK_MS &&
    mark.containers.split(' ').includes(shortOf(id))
  );
}
