// One look at what the machine and the containers have used so far, and the rates between two looks.
import { readFileSync } from 'node:fs';
import type { Usage } from '@fleetset/proto/gen/fleetset/v1/node';
import { HOLDER } from '@fleetset/scheduler-core/node/pod-record';
import { memoryLevel } from '../facts/machine-levels.ts';
import type { RuntimeContainer } from '../runtime/container-runtime.ts';
import { type CgroupPlace, type CgroupTrees, findPlace, findTrees, readUsed, type Used } from './cgroups.ts';

export interface UsageSample {
  /** Milliseconds of a steady clock. */
  readonly at: number;
  readonly node: Used;
  readonly containers: ReadonlyMap<string, SampledContainer>;
}

interface SampledContainer extends Used {
  readonly podUid: string;
  readonly name: string;
  /** How long it has run; absent when the engine does not say. */
  readonly ageMs?: number;
}

export type TakeSample = (containers: readonly RuntimeContainer[], now: number) => UsageSample;

export function createSampler(): TakeSample {
  let trees: CgroupTrees | undefined;
  const places = new Map<string, CgroupPlace>();
  const used = ({ id, pid }: RuntimeContainer): Used | undefined => {
    try {
      trees ??= findTrees(readFileSync('/proc/self/mountinfo', 'utf8'));
      const place =
        places.get(id) ?? (trees && findPlace(trees, readFileSync(`/proc/${pid}/cgroup`, 'utf8'), id));
      if (!place) return undefined;
      places.set(id, place);
      return readUsed(place);
    } catch {
      // It has ended since.
      places.delete(id);
      return undefined;
    }
  };
  return (containers, at) => {
    const running = containers.filter(({ state, pid }) => state === 'running' && pid !== undefined);
    const present = new Set(running.map(({ id }) => id));
    for (const id of places.keys()) if (!present.has(id)) places.delete(id);
    const sampled = running.flatMap((container): [string, SampledContainer][] => {
      const { pod, name } = container.identity;
      const now = name === HOLDER ? undefined : used(container);
      const ageMs = Date.now() - Date.parse(container.startedAt ?? '');
      const age = Number.isNaN(ageMs) ? {} : { ageMs };
      return now ? [[container.id, { podUid: pod.uid, name, ...age, ...now }]] : [];
    });
    return { at, node: nodeUsed(), containers: new Map(sampled) };
  };
}

const NANOS_PER_TICK = 1e7;

function nodeUsed(): Used {
  const memory = memoryLevel(readFileSync('/proc/meminfo', 'utf8'));
  return {
    cpuNanos: busyTicks(readFileSync('/proc/stat', 'utf8')) * NANOS_PER_TICK,
    memoryBytes: memory ? memory.capacity - memory.available : 0,
  };
}

/** `cpu user nice system idle iowait irq softirq steal guest guest_nice`; guests are in user and nice too. */
export function busyTicks(stat: string): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] =
    /^cpu +(.*)$/m.exec(stat)?.[1]?.split(' ').map(Number) ?? [];
  return user + nice + system + irq + softirq;
}

/** Of a process that has only begun a moment says little. */
const SHORTEST_MS = 1000;

/** Of a container that began between the two: since it began. */
export function usageBetween(before: UsageSample, now: UsageSample): Usage {
  const windowMs = now.at - before.at;
  const rate = (from: Pick<Used, 'cpuNanos'>, to: Used, spanMs = windowMs) =>
    Math.max(0, Math.round(((to.cpuNanos - from.cpuNanos) * 1000) / spanMs));
  const pods = new Map<string, Usage['pods'][number]['containers']>();
  for (const [id, { podUid, name, ageMs, ...used }] of now.containers) {
    const earlier = before.containers.get(id);
    if (!earlier && ageMs === undefined) continue;
    const cpuNanoCores = earlier
      ? rate(earlier, used)
      : rate({ cpuNanos: 0 }, used, Math.max(SHORTEST_MS, ageMs ?? 0));
    const container = { name, cpuNanoCores, memoryBytes: used.memoryBytes };
    pods.set(podUid, [...(pods.get(podUid) ?? []), container]);
  }
  return {
    windowMs: Math.round(windowMs),
    cpuNanoCores: rate(before.node, now.node),
    memoryBytes: now.node.memoryBytes,
    pods: [...pods].map(([podUid, containers]) => ({ podUid, containers })),
  };
}
