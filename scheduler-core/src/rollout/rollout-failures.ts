// Which nodes failed with a new revision, and whether that is too many.
import { scaledCount } from '../int-or-percent.ts';
import { downWithoutIt } from './broken-nodes.ts';
import type { Pacing } from './pacing.ts';
import { type RolloutNodes, restingWith } from './resting-nodes.ts';
import { effectiveRevision, type RolloutNode } from './rollout-node.ts';
import type { RolloutRecord, RolloutTimes } from './rollout-record.ts';
import { hasAvailable } from './rollout-times.ts';
import { type Waves, waveFinder } from './waves.ts';

type Failures = RolloutRecord['failures'];

/** Among nodes that are not at rest. A node that failed once counts until the rollout begins anew, whatever becomes of it. */
export function findFailures(
  { newest, failures, aside }: RolloutRecord,
  pacing: Pacing,
  before: RolloutTimes | undefined,
  times: RolloutTimes,
  nodes: readonly RolloutNode[],
  waves: Waves,
  now: number,
): Failures {
  const waveOf = waveFinder(waves);
  const found: { [node: string]: string } = { ...failures };
  for (const node of nodes) {
    // Nothing to find out: most nodes, most of the time.
    if (hasAvailable(node, times.target) && node.failing === undefined) continue;
    if (effectiveRevision(node) !== newest || found[node.name] !== undefined) continue;
    const soakMs = () => pacing.waves[waveOf(node.name)]?.soakMs ?? pacing.soakMs;
    const reason = failureOf(node, aside, pacing, soakMs, before, times, now);
    if (reason) found[node.name] = reason;
  }
  return Object.keys(found).length === Object.keys(failures).length ? failures : found;
}

function failureOf(
  node: RolloutNode,
  aside: readonly string[],
  { progressDeadlineMs }: Pacing,
  soakMs: () => number,
  before: RolloutTimes | undefined,
  times: RolloutTimes,
  now: number,
): string | undefined {
  const { name, pod } = node;
  if (node.lost) return aside.includes(name) ? undefined : 'it fell silent after it got the new revision';
  const failing = node.beside?.revision === times.target ? node.beside.failing : undefined;
  if (failing) return failing;
  if (node.failing && pod?.revision === times.target) return node.failing;
  const wasAvailableAt = before?.target === times.target ? before.availableAt.get(name) : undefined;
  if (wasAvailableAt !== undefined && !times.availableAt.has(name) && now - wasAvailableAt < soakMs())
    return 'it became unavailable while it was watched';
  const grantedAt = times.grantedAt.get(name);
  if (grantedAt !== undefined && !times.onceAvailable.has(name) && now - grantedAt >= progressDeadlineMs)
    return `it did not become available in ${progressDeadlineMs / 1000} s`;
  return undefined;
}

/** A percentage is one of the nodes that got the new revision. */
function tooManyFailures(
  failures: Failures,
  { failureThreshold }: Pacing,
  newest: string,
  fleet: RolloutNodes,
): boolean {
  const count = Object.keys(failures).length;
  if (count === 0) return false;
  const updated =
    restingWith(fleet, newest) + fleet.nodes.filter((node) => effectiveRevision(node) === newest).length;
  return count >= Math.max(1, scaledCount(failureThreshold, Math.max(updated, count)));
}

interface FailureView extends RolloutNodes {
  readonly pacing: Pacing;
  readonly newest: string;
  readonly now: number;
}

interface Failure extends Pick<RolloutRecord, 'reason' | 'message'> {
  /** Of what this revision is: going back may mend it. */
  readonly isItsDoing: boolean;
}

/** Undefined while it has not failed. */
export function rolloutFailure(
  failures: RolloutRecord['failures'],
  { progressAt }: Pick<RolloutTimes, 'progressAt'>,
  { pacing, newest, now, ...fleet }: FailureView,
  record: RolloutRecord,
): Failure | undefined {
  if (now - progressAt >= pacing.progressDeadlineMs) {
    const down = downWithoutIt(fleet, record);
    return {
      reason: 'ProgressDeadlineExceeded',
      message: `no node came nearer in ${pacing.progressDeadlineMs / 1000} s${downText(down)}`,
      isItsDoing: down.length === 0,
    };
  }
  if (!tooManyFailures(failures, pacing, newest, fleet)) return undefined;
  const [[node, why] = ['', '']] = Object.entries(failures);
  const count = Object.keys(failures).length;
  const others = count > 1 ? `, and ${count - 1} more` : '';
  return {
    reason: 'FailureThresholdExceeded',
    message: `${count} failed (failureThreshold ${pacing.failureThreshold}): ${node}: ${why}${others}`,
    isItsDoing: true,
  };
}

function downText([first, ...others]: readonly string[]): string {
  if (first === undefined) return '';
  return others.length > 0
    ? `: ${first} and ${others.length} more were down before it came, and take up the budget`
    : `: ${first} was down before it came, and takes up the budget`;
}
