// A rollout as people read it: where it stands, and node by node what each has and waits for.
import type { MaintenanceWindow } from '@fleetset/scheduler-core/schema/rollout-policy';

export interface RolloutStatus {
  readonly phase?: string;
  readonly message?: string;
  readonly late?: string;
  readonly policy?: string;
  readonly paused?: boolean;
  readonly newestRevision?: string;
  readonly targetRevision?: string;
  readonly stableRevision?: string;
  readonly attempt?: number;
  readonly step?: number;
  readonly stepName?: string;
  readonly awaitsApproval?: boolean;
  readonly maxUnavailable?: number;
  readonly unavailable?: number;
  /** Under a surge, instead of these. */
  readonly maxSurge?: number;
  readonly updating?: number;
  readonly closed?: number;
  readonly failures?: { readonly [node: string]: string };
  readonly prePull?: {
    readonly pulled?: number;
    readonly pulling?: readonly string[];
    readonly failures?: { readonly [node: string]: string };
  };
}

export interface NodePlacement {
  readonly spec: { readonly nodeName: string; readonly daemonSetName: string };
  readonly status: {
    readonly decision: string;
    readonly grantedRevision?: string;
    /** Updated, Updating, Failed, Waiting or Silent. */
    readonly state?: string;
    readonly pods?: readonly {
      readonly name: string;
      readonly revision: string;
      readonly available: boolean;
      readonly terminating: boolean;
    }[];
    readonly held?: string;
    readonly closed?: string;
    readonly maintenance?: { readonly timeZone?: string; readonly windows?: readonly MaintenanceWindow[] };
    readonly waiting?: string;
    readonly progress?: string;
  };
}

/**
 * What it ends with; undefined while it is waited for. Who paces it by deleting pods is not waited for, nor is a way
 * back that is late: it goes on, but maybe only when somebody has mended a machine.
 */
export function exitCodeOf({ phase = '', late }: RolloutStatus): 0 | 1 | undefined {
  if (phase === 'Complete') return 0;
  return late !== undefined || ['Stopped', 'RolledBack', 'OnDelete'].includes(phase) ? 1 : undefined;
}

const BAR_WIDTH = 20;
const HEADER = ['NODE', 'REVISION', 'STATE', 'WHY'];
/** What people look for first, where not all can be shown. */
const BY_URGENCY = ['Failed', 'Updating', 'Silent', 'Waiting', 'Updated'];

export interface RolloutText {
  readonly headline: string;
  /** Node by node, by name; the header is not among them. */
  readonly rows: readonly NodeRow[];
}

interface NodeRow {
  readonly state: string;
  readonly cells: readonly string[];
}

export function describeRollout(
  name: string,
  rollout: RolloutStatus,
  placements: readonly NodePlacement[],
): RolloutText {
  const { failures = {}, prePull = {} } = rollout;
  const rows = [...placements]
    .sort((a, b) => (a.spec.nodeName < b.spec.nodeName ? -1 : 1))
    .map(({ spec, status }): NodeRow => {
      const { state = '', grantedRevision, waiting = '', progress = '' } = status;
      const failed = failures[spec.nodeName];
      const doing = state === 'Updating' || state === 'Failed' ? progress : '';
      // Of who has what it should have now, the headline says why that is not the newest.
      const why = [
        failed ? `failed: ${failed}` : '',
        state === 'Updated' ? '' : waiting,
        state === 'Waiting' ? pullingAhead(prePull, spec.nodeName) : '',
        doing,
      ].filter((part) => part !== '');
      return {
        state,
        cells: [spec.nodeName, running(status) ?? grantedRevision ?? '-', state, why.join('; ')],
      };
    });
  const updated = rows.filter(({ state }) => state === 'Updated').length;
  return { headline: headline(name, rollout, updated, rows.length), rows };
}

function pullingAhead({ pulling, failures }: NonNullable<RolloutStatus['prePull']>, node: string): string {
  if (pulling?.includes(node)) return 'pulls its images meanwhile';
  const problem = failures?.[node];
  return problem ? `could not pull in advance, and tries again: ${problem}` : '';
}

/** Of what runs there now; both, oldest first, while one replaces the other. */
const running = ({ pods = [] }: NodePlacement['status']): string | undefined =>
  pods.length > 0 ? [...new Set(pods.map(({ revision }) => revision))].join(' -> ') : undefined;

export const wholeText = ({ headline, rows }: RolloutText): string =>
  [headline, ...table([HEADER, ...rows.map(({ cells }) => cells)])].join('\n');

/** As much as a screen holds: the most urgent nodes, and how many more there are. */
export function screenLines(
  { headline, rows }: RolloutText,
  screen: { readonly columns: number; readonly rows: number },
): string[] {
  const crop = (line: string) => line.slice(0, Math.max(1, screen.columns - 1));
  // One line for the headline, one for the header, one that the cursor is on.
  const room = Math.max(1, screen.rows - 3);
  if (rows.length <= room) return [headline, ...table([HEADER, ...rows.map(({ cells }) => cells)])].map(crop);
  const urgency = ({ state }: NodeRow) => BY_URGENCY.indexOf(state);
  const urgent = [...rows].sort((a, b) => urgency(a) - urgency(b));
  const shown = urgent.slice(0, room - 1);
  return [
    headline,
    ...table([HEADER, ...shown.map(({ cells }) => cells)]),
    `... and ${countStates(urgent.slice(room - 1))}`,
  ].map(crop);
}

function countStates(rows: readonly NodeRow[]): string {
  const counts = BY_URGENCY.map(
    (state) => [state, rows.filter((row) => row.state === state).length] as const,
  );
  return counts
    .filter(([, count]) => count > 0)
    .map(([state, count]) => `${count} ${state}`)
    .join(', ');
}

/** For what cannot be redrawn: the headline, and the nodes that are not as they were. */
export function changedText(before: RolloutText | undefined, now: RolloutText): string | undefined {
  if (!before) return wholeText(now);
  const known = new Set(before.rows.map(({ cells }) => cells.join('\0')));
  const changed = now.rows.filter(({ cells }) => !known.has(cells.join('\0')));
  if (changed.length === 0 && before.headline === now.headline) return undefined;
  return [now.headline, ...table(changed.map(({ cells }) => cells)).map((line) => `  ${line}`)].join('\n');
}

function headline(name: string, rollout: RolloutStatus, updated: number, all: number): string {
  const {
    phase = 'Progressing',
    message,
    late,
    paused,
    step = 0,
    stepName,
    unavailable = 0,
    maxUnavailable,
    updating = 0,
    maxSurge,
    closed = 0,
  } = rollout;
  const filled = all === 0 ? 0 : Math.round((updated / all) * BAR_WIDTH);
  const bar = `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}] ${updated}/${all}`;
  const facts = [
    paused ? 'paused' : '',
    step > 0
      ? `step ${step} (${stepName})${rollout.awaitsApproval ? ' waits for approval: fleetset rollout approve' : ''}`
      : '',
    maxUnavailable === undefined ? '' : `${unavailable} of at most ${maxUnavailable} unavailable`,
    maxSurge === undefined ? '' : `${updating} of at most ${maxSurge} being updated (maxSurge)`,
    prePullFact(rollout.prePull),
    closed > 0 ? `${closed} outside of a maintenance window or held` : '',
    `policy: ${rollout.policy}`,
    message ?? '',
    late ?? '',
  ].filter((fact) => fact !== '');
  return `${name}: ${phase} ${bar} to ${rollout.targetRevision ?? '-'} | ${facts.join(' | ')}`;
}

function prePullFact(prePull: RolloutStatus['prePull']): string {
  if (!prePull) return '';
  const { pulled = 0, pulling = [], failures = {} } = prePull;
  const counts = [
    pulling.length > 0 ? `${pulling.length} pulling` : '',
    Object.keys(failures).length > 0 ? `${Object.keys(failures).length} failed` : '',
  ].filter((count) => count !== '');
  return `images on ${pulled} ahead of their turn${counts.length > 0 ? ` (${counts.join(', ')})` : ''}`;
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
