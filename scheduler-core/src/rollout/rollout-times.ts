// How long each node has had what it was granted, by one steady clock.
import { effectiveRevision, type RolloutNode } from './plan-rollout.ts';
import type { RolloutTimes } from './rollout-record.ts';

export const hasAvailable = (node: RolloutNode, revision: string): boolean =>
  !node.lost &&
  node.granted === revision &&
  node.pod?.revision === revision &&
  node.pod.available &&
  !node.pod.deleted;

const isOnItsWay = (node: RolloutNode, target: string): boolean =>
  effectiveRevision(node) === target && !hasAvailable(node, target);

export const noTimes = (target: string, now: number): RolloutTimes => ({
  target,
  most: 0,
  progressAt: now,
  moving: false,
  grantedAt: new Map(),
  availableAt: new Map(),
  onceAvailable: new Set(),
});

export function observeTimes(
  before: RolloutTimes | undefined,
  target: string,
  nodes: readonly RolloutNode[],
  now: number,
): Omit<RolloutTimes, 'moving'> {
  const known = before?.target === target ? before : undefined;
  const availableAt = since(known?.availableAt, nodes, (node) => hasAvailable(node, target), now);
  const most = Math.max(known?.most ?? 0, availableAt.size);
  return {
    target,
    most,
    progressAt: known && most === known.most ? known.progressAt : now,
    grantedAt: since(known?.grantedAt, nodes, (node) => isOnItsWay(node, target), now),
    availableAt,
    onceAvailable: hadBefore(known, availableAt),
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
  const begun = before ? those.filter(({ name }) => !before.has(name)) : those;
  const ended = (before?.size ?? 0) + begun.length > those.length;
  if (before && begun.length === 0 && !ended) return before;
  const after = new Map(ended ? those.map(({ name }) => [name, before?.get(name) ?? now]) : before);
  for (const { name } of begun) after.set(name, now);
  return after;
}

/** The same set when nobody's share in it changed. */
function hadBefore(
  known: RolloutTimes | undefined,
  availableAt: RolloutTimes['availableAt'],
): RolloutTimes['onceAvailable'] {
  if (!known || known.availableAt === availableAt) return known?.onceAvailable ?? new Set();
  const had = new Set<string>();
  for (const names of [known.onceAvailable, known.availableAt.keys()])
    for (const name of names) if (!availableAt.has(name)) had.add(name);
  return had;
}
