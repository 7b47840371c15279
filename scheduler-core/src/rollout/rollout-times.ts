// How long each node has had what it was granted, by one steady clock.
import { effectiveRevision, type RolloutNode } from './plan-rollout.ts';
import type { RolloutTimes } from './rollout-record.ts';

export const hasAvailable = (node: RolloutNode, revision: string): boolean =>
  !node.lost &&
  node.granted === revision &&
  node.pod?.revision === revision &&
  node.pod.available &&
  !node.pod.deleted;

export const noTimes = (target: string, now: number): RolloutTimes => ({
  target,
  most: 0,
  progressAt: now,
  grantedAt: new Map(),
  availableAt: new Map(),
  onceAvailable: new Set(),
});

export function observeTimes(
  before: RolloutTimes | undefined,
  target: string,
  nodes: readonly RolloutNode[],
  now: number,
): RolloutTimes {
  const known = before?.target === target ? before : undefined;
  const availableAt = since(known?.availableAt, nodes, (node) => hasAvailable(node, target), now);
  const most = Math.max(known?.most ?? 0, availableAt.size);
  return {
    target,
    most,
    progressAt: known && most === known.most ? known.progressAt : now,
    grantedAt: since(known?.grantedAt, nodes, (node) => effectiveRevision(node) === target, now),
    availableAt,
    onceAvailable: withAll(known?.onceAvailable, availableAt),
  };
}

/** The same map when nothing began or ended: a large fleet is looked at far more often than it changes. */
function since(
  before: ReadonlyMap<string, number> | undefined,
  nodes: readonly RolloutNode[],
  of: (node: RolloutNode) => boolean,
  now: number,
): ReadonlyMap<string, number> {
  const those = nodes.filter(of);
  if (before?.size === those.length && those.every(({ name }) => before.has(name))) return before;
  return new Map(those.map(({ name }) => [name, before?.get(name) ?? now]));
}

/** The same set when it has them all. */
function withAll(
  before: ReadonlySet<string> | undefined,
  more: ReadonlyMap<string, number>,
): ReadonlySet<string> {
  const names = [...more.keys()];
  if (before && names.every((name) => before.has(name))) return before;
  return new Set([...(before ?? []), ...names]);
}
