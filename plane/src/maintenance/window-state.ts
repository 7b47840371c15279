// Whether any of some windows is open at an instant, and when that changes: a function of its arguments alone.
import type { Window } from '@fleetset/scheduler-core/rollout/pacing';
import { nextStart } from './cron-schedule.ts';

export interface WindowState {
  readonly open: boolean;
  /** When it may be otherwise, milliseconds since 1970: of closed ones when the first opens; absent: never. */
  readonly changesAt?: number;
}

type Times = Pick<Window, 'schedule' | 'durationMs' | 'timeZone'>;

/** `timeZone`: of windows that have none of their own. No window at all is one that never opens. */
export function windowState(windows: readonly Times[], timeZone: string, instant: number): WindowState {
  const spans = windows.map((one) => spanAt(one, one.timeZone ?? timeZone, instant));
  const open = spans.filter((span) => span !== undefined && span.from <= instant);
  const instants = (open.length > 0 ? open : spans).flatMap((span) =>
    span === undefined ? [] : [open.length > 0 ? span.to : span.from],
  );
  // Of several that are open the last to close; what opens meanwhile is seen when that is over.
  const changesAt = open.length > 0 ? Math.max(...instants) : Math.min(...instants);
  return { open: open.length > 0, ...(instants.length > 0 ? { changesAt } : {}) };
}

/** The earliest opening that is not over at the instant: it contains the instant, or is the next. */
function spanAt({ schedule, durationMs }: Times, timeZone: string, instant: number) {
  const from = nextStart(schedule, timeZone, instant - durationMs);
  return from === undefined ? undefined : { from, to: from + durationMs };
}
