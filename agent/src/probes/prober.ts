// Keeps asking every running container by its probes, and remembers what they say together.
import {
  afterOutcome,
  type ContainerHealth,
  containerHealth,
  initialDelayMs,
  initialProbeState,
  type ProbeKind,
  type ProbeState,
  periodMs,
  timeoutMs,
} from '@fleetset/scheduler-core/probe-state';
import type { Probe } from '@fleetset/scheduler-core/schema/container';
import { withinTimer } from '../timer-limit.ts';
import type { ProbeAnswer, ProbeTarget } from './run-probe.ts';

export interface ProbedContainer extends ProbeTarget {
  readonly podUid: string;
  /** How long it has been running already, when the agent saw it first. */
  readonly ranForMs: number;
  /** It ran before this agent did: its first good answer counts as many. */
  readonly readopted: boolean;
  /** And was ready when an agent saw it last: it is until it has failed as often as it may. */
  readonly wasReady: boolean;
  /** The pod is being ended: only readiness is still asked (rule 91). */
  readonly ending: boolean;
}

export interface ProberParts {
  readonly run: (target: ProbeTarget, probe: Probe, signal: AbortSignal) => Promise<ProbeAnswer>;
  /** The health of some container changed. */
  readonly onChange: () => void;
  readonly onFailed: (target: ProbedContainer, kind: ProbeKind, message: string) => void;
}

export interface Prober {
  /** The containers that run now; those that are gone are asked no more. */
  readonly sync: (running: readonly ProbedContainer[]) => void;
  /** Undefined for a container that is not probed. */
  readonly healthOf: (containerId: string) => ContainerHealth | undefined;
  /** Every container that ran before the agent did has been asked once, or is not to be asked yet. */
  readonly settled: () => boolean;
  /** It runs, and has been asked since this agent started or need not be. */
  readonly isKnown: (containerId: string) => boolean;
  readonly stop: () => void;
}

interface Worker {
  target: ProbedContainer;
  /** Of the container, by the monotonic clock. */
  readonly startedAt: number;
  readonly states: { [kind in ProbeKind]?: ProbeState };
  readonly asked: Set<ProbeKind>;
  /** Of a container that has just started and never was ready: when readiness was asked first, and how often. */
  early: { readonly since: number; readonly tries: number } | undefined;
  readonly timers: Map<ProbeKind, NodeJS.Timeout>;
  readonly stop: AbortController;
}

const KINDS: readonly ProbeKind[] = ['startup', 'liveness', 'readiness'];

export function createProber(parts: ProberParts): Prober {
  const workers = new Map<string, Worker>();
  return {
    sync: (running) => {
      const present = new Set(running.map(({ containerId }) => containerId));
      for (const [id, worker] of workers) {
        if (present.has(id)) continue;
        stopWorker(worker);
        workers.delete(id);
      }
      for (const target of running) {
        const worker = workers.get(target.containerId);
        if (worker) worker.target = target;
        else workers.set(target.containerId, startWorker(parts, target));
      }
    },
    healthOf: (id) => {
      const worker = workers.get(id);
      if (!worker) return undefined;
      const health = containerHealth(worker.states);
      if (!worker.target.ending) return health;
      const { unhealthy: _ignored, ...rest } = health;
      return rest;
    },
    isKnown: (id) => {
      const worker = workers.get(id);
      return worker !== undefined && isAsked(worker);
    },
    settled: () => [...workers.values()].every(isAsked),
    stop: () => {
      for (const worker of workers.values()) stopWorker(worker);
      workers.clear();
    },
  };
}

function isAsked(worker: Worker): boolean {
  const { target, states, asked } = worker;
  if (!target.readopted) return true;
  const startup = probeOf(target, 'startup');
  const starting = startup !== undefined && states.startup?.result !== 'success';
  return starting
    ? asked.has('startup') || untilFirst(worker, startup) > 0
    : states.readiness === undefined || asked.has('readiness');
}

const probeOf = ({ container }: ProbedContainer, kind: ProbeKind): Probe | undefined =>
  kind === 'startup'
    ? container.startupProbe
    : kind === 'liveness'
      ? container.livenessProbe
      : container.readinessProbe;

function startWorker(parts: ProberParts, target: ProbedContainer): Worker {
  const worker: Worker = {
    target,
    startedAt: performance.now() - target.ranForMs,
    states: {},
    asked: new Set(),
    early: target.readopted ? undefined : { since: Number.POSITIVE_INFINITY, tries: 0 },
    timers: new Map(),
    stop: new AbortController(),
  };
  for (const kind of KINDS) {
    const probe = probeOf(target, kind);
    if (!probe) continue;
    worker.states[kind] = stateBefore(target, kind, probe);
    // Whether it is ready is wanted at once by those who saw it ready. Liveness and startup may end it: they wait
    // for their first delay (rule 90), whoever asks.
    const soon = target.readopted && kind === 'readiness';
    schedule(parts, worker, kind, probe, soon ? 0 : untilFirst(worker, probe));
  }
  return worker;
}

function stateBefore(target: ProbedContainer, kind: ProbeKind, probe: Probe): ProbeState {
  const passed = kind === 'startup' && hasStarted(target, probe);
  return passed || (target.wasReady && kind !== 'liveness')
    ? { result: 'success', inRow: 0 }
    : initialProbeState(kind);
}

/** What still runs when its startup probe would have given up must have passed it, before this agent came. */
const hasStarted = ({ readopted, ranForMs }: ProbedContainer, probe: Probe): boolean =>
  readopted &&
  ranForMs > initialDelayMs(probe) + (probe.failureThreshold ?? 3) * (periodMs(probe) + timeoutMs(probe));

const untilFirst = ({ startedAt }: Worker, probe: Probe): number =>
  Math.max(0, startedAt + initialDelayMs(probe) - performance.now());

function stopWorker(worker: Worker): void {
  worker.stop.abort();
  for (const timer of worker.timers.values()) clearTimeout(timer);
}

function schedule(parts: ProberParts, worker: Worker, kind: ProbeKind, probe: Probe, delayMs: number): void {
  if (worker.stop.signal.aborted) return;
  const timer = setTimeout(() => void ask(parts, worker, kind, probe), withinTimer(delayMs));
  worker.timers.set(kind, timer);
}

async function ask(parts: ProberParts, worker: Worker, kind: ProbeKind, probe: Probe): Promise<void> {
  const { signal } = worker.stop;
  const state = worker.states[kind];
  if (!state) return;
  if (worker.target.ending && kind !== 'readiness') return passForGood(parts, worker, kind);
  const started = worker.states.startup === undefined || worker.states.startup.result === 'success';
  // Rule 88: the startup probe first, and never again afterwards.
  if (kind === 'startup' ? started : !started) {
    if (kind !== 'startup') schedule(parts, worker, kind, probe, periodMs(probe));
    return;
  }
  const soon = kind === 'readiness' ? nextEarly(worker, probe) : undefined;
  const answer = await parts.run(worker.target, probe, signal);
  if (signal.aborted) return;
  const before = containerHealth(worker.states);
  worker.states[kind] = outcome(worker, kind, probe, state, answer);
  const firstAnswer = !worker.asked.has(kind);
  worker.asked.add(kind);
  if (kind === 'readiness' && answer.outcome === 'success') worker.early = undefined;
  if (answer.outcome !== 'success' && soon === undefined) parts.onFailed(worker.target, kind, answer.message);
  const after = containerHealth(worker.states);
  const changed =
    before.ready !== after.ready || before.started !== after.started || before.unhealthy !== after.unhealthy;
  if (changed || firstAnswer) parts.onChange();
  // Rule 89: after a verdict of unhealthy the worker holds until there is a new container.
  if (after.unhealthy && kind !== 'readiness') return;
  // Rule 92: once started, readiness is asked at once.
  if (kind === 'startup' && after.started) askNow(parts, worker);
  else schedule(parts, worker, kind, probe, (worker.early && soon) ?? periodMs(probe));
}

const FIRST_TRY_AGAIN_MS = 100;

/**
 * What has just started is asked again sooner than its period, less and less often, so that a program that needs
 * half a second to listen is not taken for one that needs ten. Undefined when a period has passed since the first
 * time: then it is asked as it says itself, and its failures are told.
 */
function nextEarly(worker: Worker, probe: Probe): number | undefined {
  if (!worker.early) return undefined;
  const now = performance.now();
  const { tries } = worker.early;
  const since = Math.min(worker.early.since, now);
  worker.early = { since, tries: tries + 1 };
  const left = since + periodMs(probe) - now;
  return left > 0 ? Math.min(left, FIRST_TRY_AGAIN_MS * 2 ** tries) : undefined;
}

/** Rule 91: of a pod that is being ended only readiness is asked on. */
function passForGood(parts: ProberParts, worker: Worker, kind: ProbeKind): void {
  worker.states[kind] = { result: 'success', inRow: 1 };
  if (kind === 'startup') askNow(parts, worker);
}

function askNow(parts: ProberParts, worker: Worker): void {
  for (const kind of ['liveness', 'readiness'] as const) {
    const probe = probeOf(worker.target, kind);
    if (!probe) continue;
    clearTimeout(worker.timers.get(kind));
    schedule(parts, worker, kind, probe, untilFirst(worker, probe));
  }
}

function outcome(
  { target, asked }: Worker,
  kind: ProbeKind,
  probe: Probe,
  state: ProbeState,
  answer: ProbeAnswer,
): ProbeState {
  if (kind === 'readiness' && target.readopted && !asked.has(kind) && answer.outcome === 'success')
    return { result: 'success', last: 'success', inRow: 1 };
  return afterOutcome(state, probe, answer.outcome);
}
