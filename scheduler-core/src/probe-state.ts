// What a row of probe outcomes means (rules 85 to 92).
import type { Probe } from './schema/container.ts';

export type ProbeKind = 'startup' | 'liveness' | 'readiness';
/** 'error': the probe could not be run at all; it counts for nothing (rule 87). */
export type ProbeOutcome = 'success' | 'failure' | 'error';

export interface ProbeState {
  readonly result: 'success' | 'failure' | 'unknown';
  /** The outcome seen last, and how often in a row. */
  readonly last?: Exclude<ProbeOutcome, 'error'>;
  readonly inRow: number;
}

/** Rule 85: before the first outcome a container is not ready, alive, and not known to have started. */
export const initialProbeState = (kind: ProbeKind): ProbeState => ({
  result: kind === 'readiness' ? 'failure' : kind === 'liveness' ? 'success' : 'unknown',
  inRow: 0,
});

/** Rule 86: the result changes only when a threshold of equal outcomes in a row is reached. */
export function afterOutcome(state: ProbeState, probe: Probe, outcome: ProbeOutcome): ProbeState {
  if (outcome === 'error') return state;
  const inRow = state.last === outcome ? state.inRow + 1 : 1;
  const threshold = outcome === 'success' ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3);
  return { result: inRow >= threshold ? outcome : state.result, last: outcome, inRow };
}

/** Milliseconds from the container's start to its first probe. */
export const initialDelayMs = (probe: Probe): number => (probe.initialDelaySeconds ?? 0) * 1000;
export const periodMs = (probe: Probe): number => Math.max(1, probe.periodSeconds ?? 10) * 1000;
export const timeoutMs = (probe: Probe): number => Math.max(1, probe.timeoutSeconds ?? 1) * 1000;

/** What the probes of one running container say together. */
export interface ContainerHealth {
  readonly started: boolean;
  readonly ready: boolean;
  /** Why it has to be restarted, when it has to. */
  readonly unhealthy?: 'startup' | 'liveness';
}

/** Rules 88, 89 and 92. Absent states belong to absent probes. */
export function containerHealth(states: { readonly [kind in ProbeKind]?: ProbeState }): ContainerHealth {
  const started = states.startup === undefined || states.startup.result === 'success';
  const ready = started && (states.readiness === undefined || states.readiness.result === 'success');
  if (states.startup?.result === 'failure') return { started, ready, unhealthy: 'startup' };
  if (states.liveness?.result === 'failure') return { started, ready, unhealthy: 'liveness' };
  return { started, ready };
}
