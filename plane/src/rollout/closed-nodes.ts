// Which nodes may not be changed now since their maintenance windows are closed, and when that changes.
import type { Window } from '@fleetset/scheduler-core/rollout/pacing';
import { closureAt } from '../maintenance/node-maintenance.ts';
import type { SetViews } from './node-views.ts';

export interface ClosedNodes {
  /** With why. */
  readonly closed: ReadonlyMap<string, string>;
  /** When the first of all windows that were looked at opens or closes; milliseconds since 1970. */
  readonly changesAt?: number;
}

const NOTHING_CLOSED: ClosedNodes = { closed: new Map() };

/** `instant`: of the wall clock. Only nodes that run a pod have something to close. */
export function closedNodes(
  { all, windowed }: Pick<SetViews, 'all' | 'windowed'>,
  windows: readonly Window[],
  instant: number,
): ClosedNodes {
  const views = windows.length > 0 ? all : windowed;
  if (views.size === 0) return NOTHING_CLOSED;
  const closureOf = closureAt(windows, instant);
  const closed = new Map<string, string>();
  let next = Number.POSITIVE_INFINITY;
  for (const { rollout, maintenance } of views.values()) {
    if (rollout.decision !== 'Run' || !rollout.pod) continue;
    const { reason, changesAt = next } = closureOf(rollout.labels ?? {}, maintenance);
    if (reason !== undefined) closed.set(rollout.name, reason);
    next = Math.min(next, changesAt);
  }
  return { closed, ...(Number.isFinite(next) ? { changesAt: next } : {}) };
}

/** A wall clock may be set meanwhile: it is looked at again after so long at most. */
const LOOK_AGAIN_MS = 60_000;

/** How long a look at the windows is good for. */
export const goodForMs = ({ changesAt }: ClosedNodes, instant: number): number | undefined =>
  changesAt === undefined ? undefined : Math.min(LOOK_AGAIN_MS, Math.max(0, changesAt - instant));
