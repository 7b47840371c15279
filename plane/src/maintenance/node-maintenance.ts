// When one node may be changed: what it says itself counts before the windows of a policy.
import type { Maintenance as Reported } from '@fleetset/proto/gen/fleetset/v1/node';
import { type Window, windowOf } from '@fleetset/scheduler-core/rollout/pacing';
import { TIME_ZONE_LABEL, timeZoneOfLabel, timeZoneProblem } from '@fleetset/scheduler-core/time-zone';
import { validateWindows } from './validate-windows.ts';
import { windowState } from './window-state.ts';

type Labels = { readonly [label: string]: string };

/** What a node says of itself, as far as it matters here. */
export interface NodeMaintenance {
  /** IANA's name of the machine's zone. */
  readonly timeZone: string;
  /** Instead of any policy's. */
  readonly windows?: readonly Window[];
  /** Why its own windows cannot be read: then it is not changed. */
  readonly problem?: string;
}

/** Read once from each report's part, which mostly says nothing. */
const read = new WeakMap<Reported, NodeMaintenance>();

export function nodeMaintenance(reported: Reported | undefined): NodeMaintenance | undefined {
  if (!reported) return undefined;
  const known = read.get(reported);
  if (known) return known;
  const made = readMaintenance(reported);
  read.set(reported, made);
  return made;
}

function readMaintenance({ timeZone, ownWindows }: Reported): NodeMaintenance {
  const zone = timeZoneProblem(timeZone) === undefined ? timeZone : 'UTC';
  if (!ownWindows) return { timeZone: zone };
  const windows = ownWindows.windows.map(({ schedule, duration, timeZone: own }) => ({
    schedule,
    duration,
    ...(own === '' ? {} : { timeZone: own }),
  }));
  const [error] = validateWindows('maintenanceWindows', windows);
  return {
    timeZone: zone,
    windows: windows.map(windowOf),
    ...(error ? { problem: `${error.field}: ${error.message}` } : {}),
  };
}

export interface Closure {
  /** Why the node may not be changed now; absent: it may be. */
  readonly reason?: string;
  /** When that may be otherwise, milliseconds since 1970. */
  readonly changesAt?: number;
}

const FREE: Closure = {};

/** Answers for one node after the other; what is the same for many is found out once. */
export function closureAt(
  policyWindows: readonly Window[],
  instant: number,
): (labels: Labels, own: NodeMaintenance | undefined) => Closure {
  const known = new Map<string | readonly Window[], Map<string, Closure>>();
  const isFor = (labels: Labels) => (window: Window) => selects(window.nodeSelector, labels);
  return (labels, own) => {
    if (own?.problem) return { reason: `its own maintenance windows cannot be read: ${own.problem}` };
    const which = own?.windows ?? marksOf(policyWindows, labels);
    // A zone's name is not changed by being read as a label.
    const zone = labels[TIME_ZONE_LABEL] ?? own?.timeZone ?? 'UTC';
    const byZone = known.get(which) ?? new Map<string, Closure>();
    const found = byZone.get(zone);
    if (found) return found;
    const windows = own?.windows ?? policyWindows.filter(isFor(labels));
    const made = windows.length === 0 ? FREE : closureIn(windows, timeZoneOfLabel(zone), instant);
    known.set(which, byZone.set(zone, made));
    return made;
  };
}

/** For each window whether it is for a node with these labels. */
const marksOf = (windows: readonly Window[], labels: Labels): string => {
  let marks = '';
  for (const { nodeSelector } of windows) marks += selects(nodeSelector, labels) ? '+' : '-';
  return marks;
};

function selects(selector: Labels, labels: Labels): boolean {
  for (const key in selector) if (labels[key] !== selector[key]) return false;
  return true;
}

function closureIn(windows: readonly Window[], zone: string, instant: number): Closure {
  const shown = clockOf(zone);
  if (!shown)
    return {
      reason: `its maintenance windows cannot be told: the time zone ${zone} of its label is not known`,
    };
  const { open, changesAt } = windowState(windows, zone, instant);
  if (open) return changesAt === undefined ? {} : { changesAt };
  return changesAt === undefined
    ? { reason: 'its maintenance windows never open' }
    : { reason: `its maintenance window opens on ${shown(changesAt)}`, changesAt };
}

type Clock = (instant: number) => string;

/** There are a few hundred zones, and making their formats is slow. */
const clocks = new Map<string, Clock>();

/** Sat 2030-01-05 02:00 (Europe/Berlin); undefined when there is no such zone. */
function clockOf(timeZone: string): Clock | undefined {
  const known = clocks.get(timeZone);
  if (known || timeZoneProblem(timeZone) !== undefined) return known;
  const day = new Intl.DateTimeFormat('en', { timeZone, weekday: 'short' });
  const time = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' });
  const clock = (instant: number) => `${day.format(instant)} ${time.format(instant)} (${timeZone})`;
  clocks.set(timeZone, clock);
  return clock;
}
