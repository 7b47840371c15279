// Nodes that may not move now, and why: what a pause, a verdict, a step, a partition, a window or a hold of its own says.
import type { Amendable } from '../amended-map.ts';
import { type Approval, approvedWaves } from './approval.ts';
import type { Pacing } from './pacing.ts';
import type { Holds } from './plan-rollout.ts';
import { byPlace, CLOSELY, placeFinder, restingPlace } from './resting-nodes.ts';
import { effectiveRevision, isHeld, isUp, type RolloutNode } from './rollout-node.ts';
import type { RolloutRecord } from './rollout-record.ts';
import { needsApproval, type Turn } from './wave-turn.ts';
import { keptBack, type Waves, waveAt } from './waves.ts';

export interface HoldView {
  readonly closed: Amendable<string>;
  readonly approval?: Approval;
  readonly refused?: ReadonlyMap<string, string>;
}

/** Of nodes that are not on the target. Good as long as the line-up is. */
export function holdsOf(
  record: RolloutRecord,
  pacing: Pacing,
  assigned: Waves,
  turn: Turn,
  view: HoldView,
  target: string,
): Required<Holds> {
  const { stable, broken } = record;
  const { closed } = view;
  const { lineUp } = assigned;
  const { inOrder, restsOn } = lineUp;
  const all = holdOfAll(record, pacing, view, target);
  const awaits = wavesAwaited(record, pacing, turn, view);
  const isKept = record.phase === 'Progressing' ? keptBack(pacing, assigned) : () => false;
  const keptText = `kept back: partition ${pacing.partition} of ${pacing.source}`;
  const shut = closed.size > 0 ? byPlace(lineUp, closed) : [];
  const paced = (place: number) => {
    if (awaits[waveAt(assigned, place)]) return turn.waitsFor;
    return isKept(place) ? keptText : undefined;
  };
  const have = restingPlace(lineUp, target);
  const isStuck = stuckWith(stable, broken);
  const closely = (node: RolloutNode, place: number): string | undefined => {
    if (effectiveRevision(node) === target) return undefined;
    if (all !== undefined) return all;
    if (isHeld(node)) return node.held;
    const why = node.pod && node.pod.revision !== target ? shut[place] : undefined;
    if (why !== undefined && node.pod?.available && !node.pod.deleted) return why;
    if (isStuck(node)) return undefined;
    return paced(place) ?? (node.failing === undefined || isUp(node) ? why : undefined);
  };
  const at = (place: number): string | undefined => {
    const rests = restsOn[place];
    if (rests === CLOSELY) return closely(inOrder[place] as RolloutNode, place);
    return rests === have ? undefined : (all ?? shut[place] ?? paced(place));
  };
  return {
    inLine: { lineUp, at },
    get: (name) => {
      const place = placeFinder(lineUp)(name);
      return place === undefined ? undefined : at(place);
    },
    *[Symbol.iterator]() {
      for (const [place, { name }] of inOrder.entries()) {
        const reason = at(place);
        if (reason !== undefined) yield [name, reason] as const;
      }
    },
  };
}

/** Where it is the same for all of them. */
function holdOfAll(
  { phase, message }: RolloutRecord,
  { paused, source }: Pacing,
  { refused }: HoldView,
  target: string,
): string | undefined {
  const refusal = refused?.get(target);
  if (refusal !== undefined) return refusal;
  if (phase === 'Stopped') return `the rollout has stopped: ${message}`;
  return paused ? `the rollout is paused by ${source}` : undefined;
}

/** By number: whether nodes of this wave have to wait. What is behind us was approved, or came before there were waves. */
function wavesAwaited(
  record: RolloutRecord,
  { waves }: Pacing,
  { wave }: Turn,
  { approval }: HoldView,
): readonly boolean[] {
  if (record.phase !== 'Progressing') return [];
  const approved = approvedWaves(approval, record);
  const awaits = (own: number) => own > wave || (own === wave && needsApproval(waves, own, approved));
  return Array.from({ length: waves.length + 1 }, (_, own) => awaits(own));
}

/** An update took it down: it has nothing to lose, and would take up budget for ever. */
function stuckWith(stable: string | undefined, broken: readonly string[] = []) {
  const names = new Set(broken);
  return (node: RolloutNode): boolean => {
    if (node.pod === undefined) return stable === undefined;
    return !isUp(node) && effectiveRevision(node) !== stable && !names.has(node.name);
  };
}
