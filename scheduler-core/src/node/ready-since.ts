// Since when a pod is ready (rule 26), by the machine's own steady clock, which an agent's restart does not touch.

/** Milliseconds since the machine started: of two machines' lives, or of two clocks, none is compared. */
export interface MachineTime {
  readonly bootId: string;
  readonly upMs: number;
}

export interface ReadyMark {
  readonly bootId: string;
  readonly sinceMs: number;
  /** What was ready: with another container the time begins anew. */
  readonly containers: string;
}

export function markReady(
  before: ReadyMark | undefined,
  ready: boolean,
  containers: string,
  now: MachineTime,
): ReadyMark | undefined {
  if (!ready) return undefined;
  if (before?.bootId === now.bootId && before.containers === containers) return before;
  return { bootId: now.bootId, sinceMs: now.upMs, containers };
}

/**
 * How long until it has been ready for `minReadyMs`: 0 when it has, undefined when it is not ready. A mark of an
 * earlier start of the machine tells nothing of how long: all of it is still to come.
 */
export function availableInMs(
  mark: ReadyMark | undefined,
  minReadyMs: number,
  now: MachineTime,
): number | undefined {
  if (!mark) return undefined;
  return mark.bootId === now.bootId ? Math.max(0, mark.sinceMs + minReadyMs - now.upMs) : minReadyMs;
}
