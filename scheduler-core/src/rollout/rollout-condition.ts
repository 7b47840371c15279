// What a rollout has come to, as a DaemonSet's condition and as events, in the words that Deployments use.
import type { DaemonSetStatus } from '../schema/daemon-set.ts';
import type { Pacing } from './pacing.ts';
import type { Wait } from './plan-rollout.ts';
import type { RolloutRecord } from './rollout-record.ts';

type Condition = NonNullable<DaemonSetStatus['conditions']>[number];

type Waits = readonly Wait[];

export interface UnderWay {
  readonly node: string;
  /** Why it has not arrived. */
  readonly reason: string;
  /** When it was granted that, as text, as far as is known. */
  readonly since?: string;
  /** How many others are on their way too. */
  readonly others: number;
}

/** How nodes stand to it now. */
export interface Standing {
  /** How many should run a pod. */
  readonly nodes: number;
  /** Those that wait. */
  readonly waits: Waits;
  /** Those that are on their way, and keep the others waiting. */
  readonly underWay?: UnderWay;
  /** A change is about to be a revision. */
  readonly settling?: boolean;
}

/** Under way, and no node is there that could come to it: for people it is complete. Nothing was proved by it. */
export const hasNothingToDo = ({ phase }: RolloutRecord, nodes: number): boolean =>
  phase === 'Progressing' && nodes === 0;

const ROLLBACK_LATE = 'RollbackDeadlineExceeded';

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
  const lastTransitionTime = before?.status === status ? before.lastTransitionTime : nowText;
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

function sayingOf(record: RolloutRecord, { paused, source }: Pacing, standing: Standing): Saying {
  const { nodes, settling } = standing;
  if (settling) return { status: 'True', reason: 'RolloutProgressing', message: SETTLING };
  const { phase, newest, stable = '', reason, message, broken } = record;
  const late = lateText(record, standing);
  switch (phase) {
    case 'Complete':
      return { status: 'True', reason: 'RolloutComplete', message: completeText(newest, standing, broken) };
    case 'Stopped':
      return {
        status: 'False',
        reason,
        message: `the rollout of revision ${newest} has stopped, and nothing moves: ${message}`,
      };
    case 'RollingBack': {
      const text = `revision ${newest} has failed, and ${stable} ${paused ? `waits to come back, paused by ${source}` : 'comes back'}: ${message}`;
      return late === undefined
        ? { status: 'False', reason, message: text }
        : { status: 'False', reason: ROLLBACK_LATE, message: `${text}; ${late}` };
    }
    case 'RolledBack':
      return {
        status: 'False',
        reason,
        message: `revision ${newest} has failed, and ${stable} is back: ${message}`,
      };
    case 'Progressing':
      // It goes on, as onFailure Continue says.
      if (reason !== '')
        return {
          status: 'False',
          reason,
          message: [
            `revision ${newest} has failed, and ${paused ? `is paused by ${source}` : 'goes on'}: ${message}`,
            ...waitingFor(standing),
          ].join('; '),
        };
      if (late !== undefined)
        return {
          status: 'False',
          reason: ROLLBACK_LATE,
          message: `nodes move to revision ${newest}; ${late}`,
        };
      if (paused) return { status: 'Unknown', reason: 'RolloutPaused', message: `paused by ${source}` };
      if (hasNothingToDo(record, nodes))
        return { status: 'True', reason: 'RolloutComplete', message: NOTHING_TO_DO };
      return { status: 'True', reason: 'RolloutProgressing', message: waitingText(newest, standing) };
  }
}

/** Nodes that were silent then were set aside, and others may have joined since. */
function completeText(newest: string, { waits }: Standing, broken: RolloutRecord['broken']): string {
  return waits.length === 0
    ? everyNodeHas(newest, broken)
    : [`the rollout of revision ${newest} is complete`, ...whoWaits(waits)].join('; ');
}

function everyNodeHas(revision: string, broken: readonly string[] = []): string {
  const [first] = broken;
  if (first === undefined) return `every node has revision ${revision}`;
  const others = broken.length > 1 ? ` and ${broken.length - 1} more` : '';
  return `every node has revision ${revision}, but for ${first}${others}, broken before it began`;
}

/** `revision`: the one that nodes should have. */
export const waitingText = (revision: string, standing: Standing): string =>
  [`nodes move to revision ${revision}`, ...waitingFor(standing)].join('; ');

/** On the way back: who keeps it from coming nearer, and since when. Undefined while it is not late. */
export function lateText({ late, phase }: RolloutRecord, standing: Standing): string | undefined {
  const goesOn = phase === 'RollingBack' || phase === 'Progressing';
  return late === undefined || !goesOn ? undefined : [late, ...waitingFor(standing, true)].join('; ');
}

function waitingFor({ waits, underWay }: Standing, saysSince = false): string[] {
  const since = saysSince && underWay?.since !== undefined ? `, since ${underWay.since}` : '';
  const arriving = underWay && `waiting for ${underWay.node}: ${underWay.reason}${since}`;
  return [...(arriving ? [`${arriving}${more(underWay.others, 'on their way')}`] : []), ...whoWaits(waits)];
}

const more = (count: number, what: string): string => (count > 0 ? `, and ${count} more ${what}` : '');

/** Those that are set aside are counted apart. */
function whoWaits(waits: Waits): string[] {
  let aside = 0;
  for (const { silent } of waits) if (silent) aside += 1;
  const awaited = waits.length - aside;
  const first = waits.find(({ silent }) => !silent);
  const firstAside = aside > 0 ? waits.find(({ silent }) => silent) : undefined;
  return [
    ...(first
      ? [`${first.node}: ${first.reason}${more(awaited - 1, awaited === 2 ? 'waits' : 'wait')}`]
      : []),
    ...(firstAside ? [`set aside until they return: ${firstAside.node}${more(aside - 1, 'silent')}`] : []),
  ];
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
  standing: Standing,
): readonly RolloutEvent[] {
  const { newest, stable, phase, reason, message, failures, broken } = after;
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
  const isNews = reason !== '' && (before?.newest !== newest || before.reason !== reason);
  if (phase === 'Progressing' && isNews)
    return [
      ...failed,
      { type: 'Warning', reason, message: `revision ${newest} has failed, and goes on: ${message}` },
    ];
  const late = before?.late === undefined ? lateText(after, standing) : undefined;
  if (late !== undefined)
    return [
      ...failed,
      { type: 'Warning', reason: ROLLBACK_LATE, message: `revision ${stable} does not come back: ${late}` },
    ];
  if (before?.newest === newest && before.phase === phase) return failed;
  const said: { readonly [phase in RolloutRecord['phase']]: RolloutEvent | undefined } = {
    Progressing: undefined,
    Complete: { type: 'Normal', reason: 'RolloutComplete', message: everyNodeHas(newest, broken) },
    Stopped: {
      type: 'Warning',
      reason: 'RolloutStopped',
      message: `the rollout of revision ${newest} has stopped: ${message}`,
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
