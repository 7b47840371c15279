// How long each node has had what it was granted, by one steady clock.
import { type Amendable, amended } from '../amended-map.ts';
import { everyNode, type RolloutNodes, restingNodes, restingWithout } from './resting-nodes.ts';
import { effectiveRevision, isUp, type RolloutNode } from './rollout-node.ts';
import type { RolloutTimes } from './rollout-record.ts';

export const hasAvailable = (node: RolloutNode, revision: string): boolean =>
  !node.lost &&
  node.granted === revision &&
  node.pod?.revision === revision &&
  node.pod.available &&
  !node.pod.deleted;

const isOnItsWay = (node: RolloutNode, target: string): boolean =>
  effectiveRevision(node) === target && !hasAvailable(node, target);

/** Every node has it. */
export const haveAvailable = (fleet: RolloutNodes, revision: string): boolean =>
  restingWithout(fleet, revision) === 0 && fleet.nodes.every((node) => hasAvailable(node, revision));

const NOBODY: Amendable<number> = new Map();

/** Of no target: whatever is looked at next is looked at anew. */
export const NO_TIMES: RolloutTimes = {
  target: '',
  progressAt: 0,
  moving: false,
  grantedAt: NOBODY,
  availableAt: NOBODY,
  onceAvailable: new Set(),
  downSince: NOBODY,
};

/** By name, as they are now; undefined for one that is gone. */
export type ChangedNodes = ReadonlyMap<string, RolloutNode | undefined>;

interface LookedAt extends RolloutNodes {
  readonly changed?: ChangedNodes;
  readonly now: number;
}

/** `counts`: it is not set aside. */
export function observeTimes(
  before: RolloutTimes | undefined,
  target: string,
  view: LookedAt,
  counts: (node: RolloutNode) => boolean,
): Omit<RolloutTimes, 'moving'> {
  const { now } = view;
  const known = before?.target === target ? before : undefined;
  const looked = lookedAt(known, view);
  const has = (node: RolloutNode) => counts(node) && hasAvailable(node, target);
  const comes = (node: RolloutNode) => counts(node) && isOnItsWay(node, target);
  const availableAt = since(known?.availableAt ?? NOBODY, looked, has, now);
  return {
    target,
    progressAt: known && !cameNearer(known, looked, availableAt) ? known.progressAt : now,
    grantedAt: since(known?.grantedAt ?? NOBODY, looked, comes, now),
    availableAt,
    onceAvailable: hadBefore(known, looked, availableAt),
    downSince: observeDown(before, view),
  };
}

/** Some node has it for the first time: who has it again is no nearer. */
function cameNearer(
  known: RolloutTimes,
  looked: ChangedNodes,
  availableAt: RolloutTimes['availableAt'],
): boolean {
  if (known.availableAt === availableAt) return false;
  const isNew = (name: string) =>
    availableAt.has(name) && !known.availableAt.has(name) && !known.onceAvailable.has(name);
  for (const name of looked.keys()) if (isNew(name)) return true;
  return false;
}

/** Nobody at rest is down. */
export function observeDown(before: RolloutTimes | undefined, view: LookedAt): RolloutTimes['downSince'] {
  const isDown = (node: RolloutNode) => node.pod !== undefined && !node.lost && !isUp(node);
  const known = before?.downSince ?? NOBODY;
  return since(known, lookedAmong(view.nodes, known, before, view), isDown, view.now);
}

/** When the rollout is complete, those that were heard since and have not had the target available yet. */
export function observeComing(
  before: RolloutTimes | undefined,
  target: string,
  view: LookedAt,
): RolloutTimes['grantedAt'] {
  const known = before?.grantedAt ?? NOBODY;
  const isNew = ({ pod, lost }: RolloutNode) => !lost && pod?.revision !== target;
  const comes = (node: RolloutNode) => !hasAvailable(node, target) && (known.has(node.name) || isNew(node));
  const those = [...view.nodes, ...restingNodes(view, (revision) => revision !== target)];
  return since(known, lookedAmong(those, known, before, view), comes, view.now);
}

function lookedAmong(
  those: readonly RolloutNode[],
  known: Pick<Amendable<number>, 'keys'>,
  before: RolloutTimes | undefined,
  { changed }: LookedAt,
): ChangedNodes {
  if (before && changed) return changed;
  const looked = new Map<string, RolloutNode | undefined>();
  for (const name of known.keys()) looked.set(name, undefined);
  for (const node of those) looked.set(node.name, node);
  return looked;
}

/** Whose times may be others now. */
function lookedAt(known: RolloutTimes | undefined, view: LookedAt): ChangedNodes {
  if (known && view.changed) return view.changed;
  const looked = new Map<string, RolloutNode | undefined>();
  for (const name of known?.availableAt.keys() ?? []) looked.set(name, undefined);
  for (const name of known?.grantedAt.keys() ?? []) looked.set(name, undefined);
  for (const node of everyNode(view)) looked.set(node.name, node);
  return looked;
}

/** The same map when nothing began or ended: a large fleet is looked at far more often than it changes. */
function since(
  before: Amendable<number>,
  looked: ChangedNodes,
  is: (node: RolloutNode) => boolean,
  now: number,
): Amendable<number> {
  let changes: Map<string, number | undefined> | undefined;
  for (const [name, node] of looked) {
    const counted = node !== undefined && is(node);
    if (counted === before.has(name)) continue;
    changes ??= new Map();
    changes.set(name, counted ? now : undefined);
  }
  return changes ? amended(before, changes) : before;
}

/** The same set when nobody's share in it changed. */
function hadBefore(
  known: RolloutTimes | undefined,
  looked: ChangedNodes,
  availableAt: RolloutTimes['availableAt'],
): RolloutTimes['onceAvailable'] {
  if (!known || known.availableAt === availableAt) return known?.onceAvailable ?? new Set();
  const had = new Set(known.onceAvailable);
  for (const name of looked.keys()) {
    if (availableAt.has(name)) had.delete(name);
    else if (known.availableAt.has(name)) had.add(name);
  }
  return had;
}
