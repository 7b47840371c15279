// Nodes that were broken before a rollout began, with a revision that others have available: what they become says
// nothing about the new one.
import { isAtRest, type RolloutNodes, restingWith } from './resting-nodes.ts';
import { effectiveRevision, isUp, type RolloutNode } from './rollout-node.ts';
import type { RolloutRecord, RolloutTimes } from './rollout-record.ts';
import { hasAvailable } from './rollout-times.ts';

/** One that is down for a moment is not among them: it may come up, and then be broken by the update. */
export function findBroken(
  fleet: RolloutNodes & { readonly now: number },
  before: RolloutRecord | undefined,
  times: RolloutTimes | undefined,
  { progressDeadlineMs }: { readonly progressDeadlineMs: number },
): readonly string[] {
  const stable = before?.stable;
  const was = new Set(before?.broken);
  const isBroken = (node: RolloutNode) => {
    const revision = effectiveRevision(node);
    if (node.pod === undefined || node.lost || isUp(node)) return false;
    // What came between has not mended it.
    if (was.has(node.name)) return true;
    if (node.pod.revision !== revision) return false;
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
  restingWith(fleet, revision) > 0 ||
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

/** While nobody else is on the way to the newest revision: those that are down, and were before they had it. */
export function downWithoutIt(fleet: RolloutNodes, record: RolloutRecord): readonly string[] {
  const isComing = (node: RolloutNode) => !isUp(node) && effectiveRevision(node) === record.newest;
  if (withoutBroken(fleet, record).nodes.some(isComing)) return [];
  return fleet.nodes
    .filter((node) => !isUp(node))
    .map(({ name }) => name)
    .sort();
}
