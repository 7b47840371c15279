// What a rollout has come to: which revision nodes should have now, who may not move yet and why, and whether it
// has failed. Times come in, nothing is measured here.
import { sameJson } from '../canonical-json.ts';
import { scaledCount } from '../int-or-percent.ts';
import type { Pacing } from './pacing.ts';
import { effectiveRevision, isHeld, isSetAside, isUp, type RolloutNode } from './plan-rollout.ts';
import { findFailures, tooManyFailures } from './rollout-failures.ts';
import type { RolloutRecord, RolloutTimes } from './rollout-record.ts';
import { hasAvailable, noTimes, observeTimes } from './rollout-times.ts';
import { assignWaves, holdsOf, waveUnderWay } from './waves.ts';

export interface RolloutView {
  /** The revision of the DaemonSet's template. */
  readonly newest: string;
  readonly pacing: Pacing;
  /** Those that should run a pod. */
  readonly nodes: readonly RolloutNode[];
  /** Nodes that may not be touched now (a closed window), with why; holds of their own apart. */
  readonly closed: ReadonlyMap<string, string>;
  /** How many waves somebody approved, from the first. */
  readonly approvedWaves: number;
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
  readonly holds: ReadonlyMap<string, string>;
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
  view: RolloutView,
): Advance {
  const begun = begin(before, view);
  const first = look(begun, timesBefore, view);
  // A verdict changes who may move, and to what.
  return first.record.phase === begun.phase ? first : look(first.record, first.times, view);
}

/** A new template, or one that is tried again, starts over. What was stable stays the place to go back to. */
function begin(
  before: RolloutRecord | undefined,
  { newest, nodes, retry, pacing }: RolloutView,
): RolloutRecord {
  const again = retry !== undefined && retry !== before?.retry && before !== undefined && hasFailed(before);
  if (before?.newest === newest && !again) {
    if (before.aside.length === 0) return before;
    const heard = new Set(nodes.filter(({ connected }) => connected).map(({ name }) => name));
    const aside = before.aside.filter((name) => !heard.has(name));
    return aside.length === before.aside.length ? before : { ...before, aside };
  }
  const silent = nodes.filter(({ lost }) => lost).map(({ name }) => name);
  return {
    newest,
    ...(before?.stable === undefined ? {} : { stable: before.stable }),
    phase: 'Progressing',
    ...UNDECIDED,
    // The first revision comes to all nodes at once: waves are for changes.
    wave: before || nodes.some((node) => isOther(node, newest)) ? 0 : pacing.waves.length,
    failures: {},
    ...(retry === undefined ? {} : { retry }),
    aside: silent.sort(),
  };
}

const isOther = (node: RolloutNode, newest: string): boolean =>
  effectiveRevision(node) !== undefined && effectiveRevision(node) !== newest;

const hasFailed = ({ phase }: RolloutRecord): boolean =>
  phase === 'Stopped' || phase === 'RollingBack' || phase === 'RolledBack';

export const targetOf = ({ phase, newest, stable }: RolloutRecord): string =>
  phase === 'RollingBack' || phase === 'RolledBack' ? (stable ?? newest) : newest;

function look(before: RolloutRecord, timesBefore: RolloutTimes | undefined, view: RolloutView): Advance {
  const { pacing, now } = view;
  const target = targetOf(before);
  if (before.phase === 'Complete') return complete(before, timesBefore, view, target);
  // A silent node holds nothing up, unless it fell silent with the target.
  const aside = new Set(before.aside);
  const nodes = view.nodes.filter((node) => !isSetAside(node, { target, aside }));
  const observed = observeTimes(timesBefore, target, nodes, now);
  const waves = assignWaves(pacing.waves, nodes, target);
  const turn = waveUnderWay(before, pacing, waves, nodes, observed, view);
  const record: RolloutRecord = before.phase === 'Progressing' ? { ...before, wave: turn.wave } : before;
  const holds = holdsOf(record, pacing, waves, turn, view, target);
  const moving = mayAnyMove(nodes, target, holds, view.closed);
  // While nobody may move the deadline stands still; from the look on at which somebody may again, it runs anew.
  const runs = moving && (timesBefore?.target !== target || timesBefore.moving);
  const times = { ...observed, moving, ...(runs ? {} : { progressAt: now }) };
  const judged = judge(record, timesBefore, times, turn.soaked, nodes, view);
  const maxUnavailable = waveBudget(record, pacing, waves);
  // What has passed is judged by now, and nothing more comes of it.
  const deadline = times.progressAt + pacing.progressDeadlineMs;
  const awaits = moving && record.phase === 'Progressing' && deadline > now;
  const nextAt = earliest([
    awaits ? deadline : undefined,
    turn.soakedAt,
    ...(record.phase === 'Progressing' ? nodeDeadlines(judged, times, pacing, now) : []),
  ]);
  return {
    record: sameRecord(judged, before) ? before : judged,
    times,
    target,
    holds,
    ...fallbackOf(before),
    ...(maxUnavailable === undefined ? {} : { maxUnavailable }),
    ...(turn.soakedAt === undefined ? {} : { soakedAt: turn.soakedAt }),
    ...(nextAt === undefined ? {} : { nextAt }),
  };
}

/** When those that were granted it and never had it will have failed. */
const nodeDeadlines = (
  { failures }: RolloutRecord,
  { grantedAt, onceAvailable }: RolloutTimes,
  { progressDeadlineMs }: Pacing,
  now: number,
): number[] =>
  [...grantedAt]
    .filter(([name]) => failures[name] === undefined && !onceAvailable.has(name))
    .map(([, at]) => at + progressDeadlineMs)
    .filter((at) => at > now);

/** Every node had it, so nothing is judged any more and no time counts: only the next template begins anew. */
const complete = (
  record: RolloutRecord,
  times: RolloutTimes | undefined,
  view: RolloutView,
  target: string,
): Advance => ({
  record,
  times: times?.target === target ? times : noTimes(target, view.now),
  target,
  holds: holdsOf(
    record,
    view.pacing,
    new Map(),
    { wave: record.wave, waitsFor: '', soaked: true },
    view,
    target,
  ),
  ...fallbackOf(record),
});

/** Also when it is the target: a node that joins while nothing may move is not left without a pod that has proved itself. */
const fallbackOf = ({ stable }: RolloutRecord): Pick<Advance, 'fallback'> =>
  stable === undefined ? {} : { fallback: stable };

/**
 * Some node is on its way, or may set out: what a deadline waits for. A node that is down and may not be touched takes up
 * the budget that others wait for: meanwhile only those on their way count.
 */
function mayAnyMove(
  nodes: readonly RolloutNode[],
  target: string,
  holds: Advance['holds'],
  closed: RolloutView['closed'],
): boolean {
  const isShut = (node: RolloutNode) => holds.has(node.name) && (isHeld(node) || closed.has(node.name));
  const blocked = holds.size > 0 && nodes.some((node) => !isUp(node) && isShut(node));
  const canChange = (node: RolloutNode) =>
    !hasAvailable(node, target) &&
    (effectiveRevision(node) === target || (!blocked && !holds.has(node.name)));
  return nodes.some(canChange);
}

const UNDECIDED = { reason: '', message: '' } as const;

function judge(
  record: RolloutRecord,
  timesBefore: RolloutTimes | undefined,
  times: RolloutTimes,
  soaked: boolean,
  nodes: readonly RolloutNode[],
  { pacing, newest, now, nodes: all }: RolloutView,
): RolloutRecord {
  const empty = all.length === 0;
  const there = nodes.length > 0 && nodes.every((node) => hasAvailable(node, times.target));
  if (record.phase === 'RollingBack' && (there || empty)) return { ...record, phase: 'RolledBack' };
  if (record.phase !== 'Progressing') return record;
  const failures = findFailures(record, pacing, timesBefore, times, nodes, now);
  const seen = { ...record, failures };
  if (there && soaked) return { ...seen, phase: 'Complete', ...UNDECIDED, stable: newest };
  const why = failureOf(failures, pacing, times, nodes, newest, now);
  if (why === undefined || pacing.onFailure === 'Continue') return { ...seen, ...(why ?? UNDECIDED) };
  const back = pacing.onFailure === 'Rollback' && record.stable !== undefined && record.stable !== newest;
  return { ...seen, phase: back ? 'RollingBack' : 'Stopped', ...why };
}

type Verdict = Pick<RolloutRecord, 'reason' | 'message'>;

function failureOf(
  failures: RolloutRecord['failures'],
  pacing: Pacing,
  times: RolloutTimes,
  nodes: readonly RolloutNode[],
  newest: string,
  now: number,
): Verdict | undefined {
  if (now - times.progressAt >= pacing.progressDeadlineMs)
    return {
      reason: 'ProgressDeadlineExceeded',
      message: `no node came nearer in ${pacing.progressDeadlineMs / 1000} s`,
    };
  if (!tooManyFailures(failures, pacing, newest, nodes)) return undefined;
  const [[node, why] = ['', '']] = Object.entries(failures);
  const count = Object.keys(failures).length;
  const others = count > 1 ? `, and ${count - 1} more` : '';
  return {
    reason: 'FailureThresholdExceeded',
    message: `${count} failed (failureThreshold ${pacing.failureThreshold}): ${node}: ${why}${others}`,
  };
}

function waveBudget(
  { wave, phase }: RolloutRecord,
  { waves }: Pacing,
  assigned: ReadonlyMap<string, number>,
): number | undefined {
  const own = phase === 'Progressing' ? waves[wave]?.maxUnavailable : undefined;
  if (own === undefined) return undefined;
  const size = [...assigned.values()].filter((one) => one === wave).length;
  return Math.max(1, scaledCount(own, size));
}

const sameRecord = (a: RolloutRecord, b: RolloutRecord): boolean => sameJson(a, b);

const earliest = (instants: readonly (number | undefined)[]): number | undefined => {
  const known = instants.filter((one) => one !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
};
