// How long each node has had what it was granted, by one steady clock.
import { effectiveRevision, type RolloutNode } from './plan-rollout.ts';
import type { RolloutTimes } from './rollout-record.ts';

export const hasAvailable = (node: RolloutNode, revision: string): boolean =>
  !node.lost &&
  node.granted === revision &&
  node.pod?.revision === revision &&
  node.pod.available &&
  !node.pod.deleted;

export function observeTimes(
  before: RolloutTimes | undefined,
  target: string,
  nodes: readonly RolloutNode[],
  now: number,
): Omit<RolloutTimes, 'moving'> {
  const known = before?.target === target ? before : undefined;
  const since = (old: ReadonlyMap<string, number> | undefined, of: (node: RolloutNode) => boolean) =>
    new Map(nodes.filter(of).map(({ name }) => [name, old?.get(name) ?? now]));
  const availableAt = since(known?.availableAt, (node) => hasAvailable(node, target));
  const most = Math.max(known?.most ?? 0, availableAt.size);
  return {
    target,
    most,
    progressAt: known && most === known.most ? known.progressAt : now,
    grantedAt: since(known?.grantedAt, (node) => effectiveRevision(node) === target),
    availableAt,
    onceAvailable: new Set([...(known?.onceAvailable ?? []), ...availableAt.keys()]),
  };
}
