// Whether anything can come of a rollout now: what its deadline waits for.
import type { Amendable } from '../amended-map.ts';
import { brokenIn } from './broken-nodes.ts';
import type { Holds } from './plan-rollout.ts';
import { CLOSELY, restingPlace } from './resting-nodes.ts';
import { effectiveRevision, isHeld, isUp, type RolloutNode } from './rollout-node.ts';
import type { RolloutRecord } from './rollout-record.ts';
import { hasAvailable } from './rollout-times.ts';
import type { Waves } from './waves.ts';

interface MoveView {
  readonly closed: Amendable<string>;
  readonly refused?: ReadonlyMap<string, string>;
}

/**
 * Some node is on its way, or could set out if the budget were free: what a deadline waits for. One that is down and
 * held for a time of its own takes up the budget that others wait for: meanwhile only those on their way count.
 */
export function mayAnyMove(
  fleet: MoveView,
  target: string,
  holds: Required<Holds>,
  { lineUp, closely }: Waves,
  record: RolloutRecord,
): boolean {
  // Time changes nothing about it.
  if (fleet.refused?.has(target)) return false;
  const { at } = holds.inLine;
  const { inOrder, restsOn } = lineUp;
  const isBroken = brokenIn(record);
  const nodeAt = (place: number) => inOrder[place] as RolloutNode;
  const blocked = closely.some((place) => {
    const node = nodeAt(place);
    return !isUp(node) && isHeldForATime(node, fleet, at(place));
  });
  const canChange = (place: number) => {
    const node = nodeAt(place);
    if (isBroken(node) || hasAvailable(node, target)) return false;
    return effectiveRevision(node) === target || (!blocked && at(place) === undefined);
  };
  if (closely.some(canChange)) return true;
  const have = restingPlace(lineUp, target);
  const waits = (rests: number | undefined) => rests !== CLOSELY && rests !== have;
  return !blocked && restsOn.some((rests, place) => waits(rests) && at(place) === undefined);
}

/** By a window that opens again, or a hold that ends: what else holds a node may be for ever. */
function isHeldForATime(node: RolloutNode, { closed }: MoveView, why: string | undefined): boolean {
  return why !== undefined && (isHeld(node) ? why === node.held : why === closed.get(node.name));
}
