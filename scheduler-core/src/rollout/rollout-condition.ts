// What a rollout has come to, as a DaemonSet's condition and as events, in the words that Deployments use.
import type { DaemonSetStatus } from '../schema/daemon-set.ts';
import type { Pacing } from './pacing.ts';
import type { RolloutRecord } from './rollout-record.ts';

type Condition = NonNullable<DaemonSetStatus['conditions']>[number];

type Waits = readonly { readonly node: string; readonly reason: string }[];

/** How nodes stand to it now. */
export interface Standing {
  /** How many should run a pod. */
  readonly nodes: number;
  /** Those that wait. */
  readonly waits: Waits;
  /** A change is about to be a revision. */
  readonly settling?: boolean;
}

/** Under way, and no node is there that could come to it: for people it is complete. Nothing was proved by it. */
export const hasNothingToDo = ({ phase }: RolloutRecord, nodes: number): boolean =>
  phase === 'Progressing' && nodes === 0;

export const SETTLING = 'a change becomes a revision as soon as no other follows it';
export const NOTHING_TO_DO = 'no node should run it: nothing to do';

export function progressingCondition(
  record: RolloutRecord,
  pacing: Pacing,
  standing: Standing,
  before: Condition | undefined,
  nowText: string,
): Condition {
  const { status, reason, message } = sayingOf(record, pacing, standing);
  const same = before?.status === status && before.reason === reason;
  const lastTransitionTime = same ? before.lastTransitionTime : nowText;
  return {
    type: 'Progressing',
    status,
    reason,
    message,
    ...(lastTransitionTime ? { lastTransitionTime } : {}),
  };
}

interface Saying {
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

function sayingOf(
  record: RolloutRecord,
  { paused, source }: Pacing,
  { nodes, waits, settling }: Standing,
): Saying {
  if (settling) return { status: 'True', reason: 'RolloutProgressing', message: SETTLING };
  const { phase, newest, stable = '', reason, message } = record;
  switch (phase) {
    case 'Complete':
      return { status: 'True', reason: 'RolloutComplete', message: `every node has revision ${newest}` };
    case 'Stopped':
      return {
        status: 'False',
        reason,
        message: `revision ${newest} has failed, and nothing moves: ${message}`,
      };
    case 'RollingBack':
      return {
        status: 'False',
        reason,
        message: `revision ${newest} has failed, and ${stable} comes back: ${message}`,
      };
    case 'RolledBack':
      return {
        status: 'False',
        reason,
        message: `revision ${newest} has failed, and ${stable} is back: ${message}`,
      };
    case 'Progressing':
      if (paused) return { status: 'Unknown', reason: 'RolloutPaused', message: `paused by ${source}` };
      if (hasNothingToDo(record, nodes))
        return { status: 'True', reason: 'RolloutComplete', message: NOTHING_TO_DO };
      return { status: 'True', reason: 'RolloutProgressing', message: waitingText(newest, waits) };
  }
}

function waitingText(newest: string, waits: Waits): string {
  const [first] = waits;
  if (!first) return `nodes move to revision ${newest}`;
  const others = waits.length > 1 ? `, and ${waits.length - 1} more wait` : '';
  return `nodes move to revision ${newest}; ${first.node}: ${first.reason}${others}`;
}

export interface RolloutEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/** What people are told when it changes. */
export function rolloutEvents(
  before: RolloutRecord | undefined,
  after: RolloutRecord,
): readonly RolloutEvent[] {
  const { newest, stable, phase, message, failures } = after;
  const known = before?.newest === newest ? before.failures : {};
  const failed = Object.entries(failures)
    .filter(([node]) => known[node] === undefined)
    .map(
      ([node, why]): RolloutEvent => ({
        type: 'Warning',
        reason: 'RolloutNodeFailed',
        message: `revision ${newest} failed on ${node}: ${why}`,
      }),
    );
  if (before?.newest === newest && before.phase === phase) return failed;
  const said: { readonly [phase in RolloutRecord['phase']]: RolloutEvent | undefined } = {
    Progressing: undefined,
    Complete: { type: 'Normal', reason: 'RolloutComplete', message: `every node has revision ${newest}` },
    Stopped: {
      type: 'Warning',
      reason: 'RolloutStopped',
      message: `revision ${newest} has failed: ${message}`,
    },
    RollingBack: {
      type: 'Warning',
      reason: 'RollingBack',
      message: `revision ${newest} has failed, ${stable} comes back: ${message}`,
    },
    RolledBack: { type: 'Normal', reason: 'RolledBack', message: `every node has revision ${stable} again` },
  };
  const verdict = said[phase];
  return verdict ? [...failed, verdict] : failed;
}
