// What a rollout has come to: which revision nodes should have now, who may not move yet and why, and whether it
// has failed. Times come in, nothing is measured here.
import type { Amendable } from '../amended-map.ts';
import { sameJson } from '../canonical-json.ts';
import { earliest } from '../earliest.ts';
import { scaledCount } from '../int-or-percent.ts';
import type { Approval } from './approval.ts';
import { beginRollout } from './begin-rollout.ts';
import { withoutBroken } from './broken-nodes.ts';
import { holdsOf } from './holds.ts';
import { mayAnyMove } from './may-move.ts';
import type { Pacing } from './pacing.ts';
import type { Holds } from './plan-rollout.ts';
import { inLine, isEmpty, type RolloutNodes, restingNodes } from './resting-nodes.ts';
import { findFailures, rolloutFailure } from './rollout-failures.ts';
import { effectiveRevision, isSetAside, type RolloutNode } from './rollout-node.ts';
import { type RolloutRecord, type RolloutTimes, targetOf, UNDECIDED } from './rollout-record.ts';
import {
  type ChangedNodes,
  haveAvailable,
  NO_TIMES,
  observeComing,
  observeDown,
  observeTimes,
} from './rollout-times.ts';
import { waveUnderWay } from './wave-turn.ts';
import { assignWaves, sizeOfWave, type Waves } from './waves.ts';
import { isWayBack, lateOnTheWayBack, withoutLate } from './way-back.ts';

export interface RolloutView extends RolloutNodes {
  /** The revision of the DaemonSet's template. */
  readonly newest: string;
  readonly pacing: Pacing;
  /** Since the look that the times are of; absent: any node may have. */
  readonly changed?: ChangedNodes;
  /** Nodes that may not be touched now (a closed window), with why; holds of their own apart. Another map whenever
   *  some node's is another. */
  readonly closed: Amendable<string>;
  /** Revisions of which no pod may be made now, with why: nobody moves to them. */
  readonly refused?: ReadonlyMap<string, string>;
  /** What somebody approved last, whether or not it is for this rollout. */
  readonly approval?: Approval;
  /** Another than before: somebody wants the newest revision tried again. */
  readonly retry?: string;
  /** By a steady clock. */
  readonly now: number;
}

export interface Advance {
  readonly record: RolloutRecord;
  readonly times: RolloutTimes;
  /** What nodes should have now. */
  readonly target: string;
  /** What a node without a pod gets while it may not have the target. */
  readonly fallback?: string;
  /** Nodes that may not move, with why. */
  readonly holds: Holds;
  /** Nodes that spend no budget while they are silent: it is not what they were granted that made them so. */
  readonly aside: ReadonlySet<string>;
  /** Instead of the DaemonSet's own maxUnavailable, or under a surge of its maxSurge. */
  readonly maxUnavailable?: number;
  /** When what is watched (soakSeconds) has been available long enough. */
  readonly soakedAt?: number;
  /** Time alone changes something at this instant. */
  readonly nextAt?: number;
}

export function advanceRollout(
  before: RolloutRecord | undefined,
  timesBefore: RolloutTimes | undefined,
  anyView: RolloutView,
): Advance {
  const view = inLine(anyView);
  const begun = beginRollout(before, timesBefore, view);
  // Another attempt has all its time, also when the target is the one before.
  const isAnew = timesBefore !== undefined && before !== undefined && begun.attempt !== before.attempt;
  const times = isAnew ? { ...timesBefore, target: '' } : timesBefore;
  const first = lookAside(begun, before, times, view);
  // A verdict changes who may move, and to what.
  return first.record.phase === begun.phase
    ? first
    : lookAside(first.record, first.record, first.times, view);
}

function lookAside(
  record: RolloutRecord,
  before: RolloutRecord | undefined,
  times: RolloutTimes | undefined,
  view: RolloutView,
): Advance {
  const after = setAside(record, times, view);
  // Who is set aside may be another then, though no node changed.
  const { changed: _anything, ...anew } = view;
  return look(after, times, after === before ? view : anew);
}

/** What falls silent in a rollback, and never got what failed or is back already, died by itself. */
function setAside(record: RolloutRecord, times: RolloutTimes | undefined, view: RolloutView): RolloutRecord {
  const { phase, aside, goBack = [] } = record;
  if (phase !== 'RollingBack' && phase !== 'RolledBack') return record;
  const target = targetOf(record);
  const isBack = (name: string) =>
    times?.target === target && (times.availableAt.has(name) || times.onceAvailable.has(name));
  const silent = view.nodes.filter(({ name, lost }) => lost && !aside.includes(name));
  if (silent.length === 0) return record;
  const away = new Set(goBack);
  const died = silent.map(({ name }) => name).filter((name) => !away.has(name) || isBack(name));
  return died.length === 0 ? record : { ...record, aside: [...aside, ...died].sort() };
}

const whoHas = (revision: string, fleet: RolloutNodes): readonly string[] =>
  [...restingNodes(fleet, (one) => one === revision), ...fleet.nodes]
    .filter((node) => effectiveRevision(node) === revision)
    .map(({ name }) => name)
    .sort();

function look(before: RolloutRecord, timesBefore: RolloutTimes | undefined, view: RolloutView): Advance {
  const { pacing, now } = view;
  const target = targetOf(before);
  if (before.phase === 'Complete') return complete(before, timesBefore, view, target);
  // A silent node holds nothing up, unless it fell silent with the target.
  const aside = asideOf(before);
  const counts = (node: RolloutNode) => !isSetAside(node, { target, aside });
  const fleet = { ...view, nodes: view.nodes.filter(counts) };
  const observed = observeTimes(timesBefore, target, view, counts);
  const waves = assignWaves(pacing.waves, fleet, target, before.broken);
  const turn = waveUnderWay(before, pacing, waves, fleet, observed);
  const record: RolloutRecord = before.phase === 'Progressing' ? { ...before, wave: turn.wave } : before;
  const holds = holdsOf(record, pacing, waves, turn, view, target);
  const moving = mayAnyMove(fleet, target, holds, waves, before);
  // While nobody may move the deadline stands still; from the look on at which somebody may again, it runs anew.
  const runs = moving && (timesBefore?.target !== target || timesBefore.moving);
  const times = { ...observed, moving, ...(runs ? {} : { progressAt: now }) };
  const judged = judge(record, timesBefore, times, turn.soaked, waves, fleet, isEmpty(view));
  const maxUnavailable = waveBudget(record, pacing, waves);
  // What has passed is judged by now, and nothing more comes of it.
  const deadline = times.progressAt + pacing.progressDeadlineMs;
  const goesOn = record.phase === 'Progressing' || record.phase === 'RollingBack';
  const awaits = moving && goesOn && deadline > now;
  const nextAt = earliest(
    awaits ? deadline : undefined,
    turn.soakedAt,
    record.phase === 'Progressing' ? nodeDeadline(judged, times, pacing, now) : undefined,
  );
  return {
    record: sameRecord(judged, before) ? before : judged,
    times,
    target,
    holds,
    aside,
    ...fallbackOf(before),
    ...(maxUnavailable === undefined ? {} : { maxUnavailable }),
    ...(turn.soakedAt === undefined ? {} : { soakedAt: turn.soakedAt }),
    ...(nextAt === undefined ? {} : { nextAt }),
  };
}

/** When the first of those that were granted it and never had it will have failed. */
function nodeDeadline(
  { failures, broken = [] }: RolloutRecord,
  { grantedAt, onceAvailable }: RolloutTimes,
  { progressDeadlineMs }: Pacing,
  now: number,
): number | undefined {
  let first = Number.POSITIVE_INFINITY;
  for (const [name, at] of grantedAt) {
    const deadline = at + progressDeadlineMs;
    const isOpen = deadline > now && deadline < first;
    if (isOpen && failures[name] === undefined && !onceAvailable.has(name) && !broken.includes(name))
      first = deadline;
  }
  return Number.isFinite(first) ? first : undefined;
}

/** Who was silent or broken before. */
const asideOf = ({ aside, broken = [] }: RolloutRecord): Set<string> => new Set([...aside, ...broken]);

/**
 * Every node had it, so nothing is judged any more and no time counts: only the next template begins anew. Who falls
 * silent now died by itself, unless it came to it later than the others and never had it available.
 */
function complete(
  record: RolloutRecord,
  timesBefore: RolloutTimes | undefined,
  view: RolloutView,
  target: string,
): Advance {
  const grantedAt = observeComing(timesBefore, target, view);
  const aside = asideOf(record);
  for (const { name, lost } of view.nodes) if (lost && !grantedAt.has(name)) aside.add(name);
  const turn = { wave: record.wave, waitsFor: '', soaked: true };
  return {
    record,
    times: { ...NO_TIMES, grantedAt, downSince: observeDown(timesBefore, view) },
    target,
    holds: holdsOf(record, view.pacing, assignWaves([], view, target), turn, view, target),
    aside,
    ...fallbackOf(record),
  };
}

/** Also when it is the target: a node that joins while nothing may move is not left without a pod that has proved itself. */
const fallbackOf = ({ stable }: RolloutRecord): Pick<Advance, 'fallback'> =>
  stable === undefined ? {} : { fallback: stable };

function judge(
  before: RolloutRecord,
  timesBefore: RolloutTimes | undefined,
  times: RolloutTimes,
  soaked: boolean,
  waves: Waves,
  fleet: RolloutView,
  empty: boolean,
): RolloutRecord {
  const { pacing, newest, now } = fleet;
  const record = withoutLate(before);
  const those = withoutBroken(fleet, record);
  const there = !isEmpty(those) && haveAvailable(those, times.target);
  const late = lateOnTheWayBack(record, pacing, times.progressAt, now);
  if (record.phase === 'RollingBack')
    return there || empty ? { ...record, phase: 'RolledBack' } : { ...record, ...late };
  if (record.phase !== 'Progressing') return record;
  const failures = findFailures(record, pacing, timesBefore, times, those.nodes, waves, now);
  const seen = { ...record, failures };
  if (there && soaked) return { ...seen, phase: 'Complete', ...UNDECIDED, stable: newest };
  if (isWayBack(record, pacing)) return { ...seen, ...UNDECIDED, ...late };
  const failure = rolloutFailure(failures, times, fleet, record);
  if (failure === undefined) return { ...seen, ...UNDECIDED };
  const { isItsDoing, ...why } = failure;
  if (pacing.onFailure === 'Continue') return { ...seen, ...why };
  const canGoBack = record.stable !== undefined && record.stable !== newest;
  // Going back mends nothing that this revision did not break.
  const back = pacing.onFailure === 'Rollback' && canGoBack && isItsDoing;
  if (!back) return { ...seen, phase: 'Stopped', ...why };
  return { ...seen, phase: 'RollingBack', ...why, goBack: whoHas(newest, fleet) };
}

function waveBudget({ wave, phase }: RolloutRecord, { waves }: Pacing, assigned: Waves): number | undefined {
  const own = phase === 'Progressing' ? waves[wave]?.maxUnavailable : undefined;
  if (own === undefined) return undefined;
  return Math.max(1, scaledCount(own, sizeOfWave(assigned, wave)));
}

const sameRecord = (a: RolloutRecord, b: RolloutRecord): boolean => sameJson(a, b);
