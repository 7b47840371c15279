// Nodes that were broken before a rollout began, with a revision that others have available: what they become says
// nothing about the new one.
import { effectiveRevision, isUp, type RolloutNode } from './plan-rollout.ts';
import { isAtRest, type RolloutNodes, restingWith } from './resting-nodes.ts';
import type { RolloutRecord, RolloutTimes } from './rollout-record.ts';
import { hasAvailable } from './rollout-times.ts';

/** One that is down for a moment is not among them: it may come up, and then be broken by the update. */
export function findBroken(
  fleet: RolloutNodes & { readonly now: number },
  stable: string | undefined,
  times: RolloutTimes | undefined,
  { progressDeadlineMs }: { readonly progressDeadlineMs: number },
): readonly string[] {
  const isBroken = (node: RolloutNode) => {
    const revision = effectiveRevision(node);
    if (node.pod === undefined || node.lost || isUp(node) || node.pod.revision !== revision) return false;
    if (revision !== (stable ?? revision) || !isUpSomewhere(fleet, revision)) return false;
    const since = times?.downSince.get(node.name) ?? fleet.now;
    return node.failing !== undefined || fleet.now - since >= progressDeadlineMs;
  };
  return fleet.nodes
    .filter(isBroken)
    .map(({ name }) => name)
    .sort();
}

const isUpSomewhere = (fleet: RolloutNodes, revision: string): boolean =>
  restingWith(fleet, revision).length > 0 ||
  fleet.nodes.some((node) => isUp(node) && effectiveRevision(node) === revision);

/** Without those that came to have the target. */
export function stillBroken(
  broken: RolloutRecord['broken'] = [],
  fleet: RolloutNodes,
  target: string,
): readonly string[] {
  if (broken.length === 0) return broken;
  const has = new Set(fleet.nodes.filter((node) => hasAvailable(node, target)).map(({ name }) => name));
  const left = broken.filter((name) => !has.has(name) && !isAtRest(fleet, name));
  return left.length === broken.length ? broken : left;
}

/** Those that a rollout waits for. */
export function withoutBroken<Fleet extends RolloutNodes>(fleet: Fleet, record: RolloutRecord): Fleet {
  if (!record.broken?.length) return fleet;
  const isBroken = brokenIn(record);
  return { ...fleet, nodes: fleet.nodes.filter((node) => !isBroken(node)) };
}

export function brokenIn({ broken = [] }: RolloutRecord): (node: RolloutNode) => boolean {
  const names = new Set(broken);
  return ({ name }) => names.size > 0 && names.has(name);
}
