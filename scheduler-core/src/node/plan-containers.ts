// The next possible actions on the containers of one pod, by its bucket (rules 96 to 102).
import { CONTAINER_RESTART, decideRetry, HOLDER_RESTART, IMAGE_PULL } from '../restart-back-off.ts';
import type { PodSpec } from '../schema/pod.ts';
import type { PodChoice } from './choose-pods.ts';
import { wantsPodAddress } from './field-ref.ts';
import { type InitProgress, initProgress } from './init-progress.ts';
import { doubtUntil, endedWithHolder, hasLostHolder, memoryOnNextHolder } from './lost-holder.ts';
import type { ContainerMemory, CreateAction, NodeAction, OnContainer, StopAction } from './node-action.ts';
import {
  allContainers,
  containerKey,
  containerNames,
  HOLDER,
  isInitContainer,
  isSidecar,
  latest,
  needsHolder,
  type PlannedPod,
  type SeenContainer,
} from './pod-record.ts';
import { graceAfterProbe, podGrace } from './stop-grace.ts';

export interface PlanContext {
  readonly now: number;
  readonly tombstones: ReadonlyMap<string, number | undefined>;
  readonly containers: readonly SeenContainer[];
  readonly busy: ReadonlyMap<string, NodeAction['kind']>;
  readonly memory: ReadonlyMap<string, ContainerMemory>;
  readonly unhealthy: ReadonlyMap<string, 'startup' | 'liveness'>;
  readonly pods: ReadonlyMap<string, PlannedPod>;
}

export interface ContainerSteps {
  readonly actions: readonly NodeAction[];
  /** Instants at which something that waits becomes possible. */
  readonly waits: readonly number[];
}

const NOTHING: ContainerSteps = { actions: [], waits: [] };

export function planContainers(choice: PodChoice, context: PlanContext): ContainerSteps {
  const pod = context.pods.get(choice.record.uid);
  const seen = context.containers.filter(({ podUid }) => podUid === choice.record.uid);
  if (choice.bucket === 'stop') return planStop(choice, seen, pod, context);
  if (!pod?.template?.spec) return NOTHING;
  const { spec } = pod.template;
  const isStarting = (name: string) => context.busy.get(containerKey(choice.record.uid, name)) === 'start';
  const view: PodView = {
    choice,
    seen,
    context,
    spec,
    holder: needsHolder(pod.template),
    init: initProgress(spec, seen, isStarting),
  };
  const steps = containerNames(pod.template).map((name) => planOne(name, view));
  return {
    actions: steps.flatMap(({ actions }) => actions),
    waits: steps.flatMap(({ waits }) => waits),
  };
}

interface PodView {
  readonly choice: PodChoice;
  readonly seen: readonly SeenContainer[];
  readonly context: PlanContext;
  readonly spec: PodSpec;
  /** The pod has a holder. */
  readonly holder: boolean;
  readonly init: InitProgress;
}

function planOne(name: string, pod: PodView): ContainerSteps {
  const { choice, seen, context } = pod;
  const at: OnContainer = { podUid: choice.record.uid, container: name, reason: choice.reason };
  const key = containerKey(at.podUid, name);
  if (context.busy.has(key)) return NOTHING;
  const container = latest(name, seen);
  const memory = context.memory.get(key) ?? {};
  if (!container) {
    const attempt = firstAttempt(name, seen);
    if (canBeCreated(name, pod)) return asFresh(memory, create(at, attempt, memory, context));
    return canBeChecked(name, memory, pod) ? asCheck(create(at, attempt, memory, context)) : NOTHING;
  }
  const tidy = olderAttempts(at, seen, container, context);
  return withTidy(nextStep(at, container, memory, pod), tidy);
}

const asFresh = ({ checked }: ContainerMemory, { actions, waits }: ContainerSteps): ContainerSteps => ({
  actions: actions.map((action) =>
    checked && action.kind === 'create' ? { ...action, imageIsFresh: true } : action,
  ),
  waits,
});

const asCheck = ({ actions, waits }: ContainerSteps): ContainerSteps => ({
  actions: actions.map((action) => (action.kind === 'create' ? { ...action, only: 'check' } : action)),
  waits,
});

/** The number of a holder that vanished is not given again: what joined that one would pass for joining this. */
const firstAttempt = (name: string, seen: readonly SeenContainer[]): number =>
  name === HOLDER ? 1 + Math.max(-1, ...seen.map(({ holderAttempt }) => holderAttempt ?? -1)) : 0;

const withTidy = (steps: ContainerSteps, tidy: readonly NodeAction[]): ContainerSteps => ({
  actions: [...steps.actions, ...tidy],
  waits: steps.waits,
});

function nextStep(
  at: OnContainer,
  container: SeenContainer,
  memory: ContainerMemory,
  pod: PodView,
): ContainerSteps {
  const { choice, context } = pod;
  const lostNetwork = hasLostHolder(container, pod.spec, pod.seen);
  const known = lostNetwork ? memoryOnNextHolder(memory, container, pod.seen) : memory;
  switch (container.state) {
    case 'running': {
      if (lostNetwork)
        return stopWhen(at, container, "the pod's network is gone", pod, podGrace(choice, context));
      const probe = context.unhealthy.get(container.id);
      if (probe === undefined) return NOTHING;
      const grace = graceAfterProbe(choice, context, container.name, probe);
      const what = isInitContainer(pod.spec, container.name) ? 'Init container' : 'Container';
      return only(
        stopAction(
          at,
          container,
          grace,
          `${what} ${container.name} failed ${probe} probe, will be restarted`,
        ),
      );
    }
    case 'created':
      // Without its network it waits for a new holder: made now, it would be on the host's.
      if (!canBeCreated(container.name, pod)) return NOTHING;
      if (lostNetwork)
        return create({ ...at, reason: "the pod's network is new" }, container.attempt + 1, known, context);
      if (memory.trouble?.kind === 'start' || memory.trouble?.kind === 'config')
        return create(at, container.attempt + 1, memory, context);
      return mayStart(container, pod) ? only({ ...at, kind: 'start', id: container.id }) : NOTHING;
    case 'exited':
      return choice.bucket === 'run' && canBeCreated(container.name, pod)
        ? restart(at, container, known, pod)
        : NOTHING;
  }
}

const only = (action: NodeAction): ContainerSteps => ({ actions: [action], waits: [] });

const stopAction = (
  at: OnContainer,
  container: SeenContainer,
  graceSeconds: number,
  reason: string,
): StopAction => ({ ...at, kind: 'stop', id: container.id, graceSeconds, reason });

/** Init containers in their order, the others after them (rules 100 and 101). */
const isDue = (name: string, { spec, init }: PodView): boolean =>
  name === HOLDER || (isInitContainer(spec, name) ? init.due.has(name) : init.initialized);

/** Containers join a holder that exists and has not ended; who names the pod's address waits until it runs. */
function canBeCreated(name: string, pod: PodView): boolean {
  if (!pod.holder || name === HOLDER) return true;
  const current = latest(HOLDER, pod.seen);
  if (current === undefined || current.state === 'exited' || !isDue(name, pod)) return false;
  return current.state === 'running' || !namesPodAddress(name, pod);
}

/** On the host's network the pod's address is the host's, which is known. */
const namesPodAddress = (name: string, { spec }: PodView): boolean =>
  !spec.hostNetwork &&
  allContainers(spec).some((container) => container.name === name && wantsPodAddress(container));

/** Beside the pod it replaces, so that what is wrong with it is known before that one is stopped. */
const canBeChecked = (name: string, memory: ContainerMemory, pod: PodView): boolean =>
  pod.choice.bucket === 'prepare' &&
  memory.checked !== true &&
  (!isDue(name, pod) || namesPodAddress(name, pod));

function mayStart({ name }: SeenContainer, pod: PodView): boolean {
  if (pod.choice.bucket !== 'run') return false;
  if (pod.holder && name !== HOLDER && latest(HOLDER, pod.seen)?.state !== 'running') return false;
  return !waitsForHook(name, pod);
}

/** As kubelet starts them: a container whose postStart hook has not ended holds up those after it (rule 103). */
function waitsForHook(name: string, { spec, seen, context, choice }: PodView): boolean {
  const index = spec.containers.findIndex((container) => container.name === name);
  return spec.containers.slice(0, Math.max(0, index)).some((before) => {
    if (!before.lifecycle?.postStart) return false;
    const key = containerKey(choice.record.uid, before.name);
    if (context.busy.get(key) === 'start') return true;
    const state = latest(before.name, seen)?.state ?? 'created';
    return state === 'created' && context.memory.get(key)?.trouble === undefined;
  });
}

/** A first try at once; after a failure by its back-off, images by one of their own (rule 98), and for want of a
 *  ConfigMap or Secret, or of one that opens a registry, when those have changed. */
function create(
  at: OnContainer,
  attempt: number,
  memory: ContainerMemory,
  { now, pods }: PlanContext,
): ContainerSteps {
  const { trouble } = memory;
  if (!trouble) return only({ ...at, kind: 'create', attempt });
  const isOther = trouble.config !== undefined && trouble.config !== (pods.get(at.podUid)?.config ?? '');
  if (isOther) return only({ ...at, kind: 'create', attempt });
  if (trouble.kind === 'config') return NOTHING;
  const [limits, field] =
    trouble.kind === 'image' ? ([IMAGE_PULL, 'pull'] as const) : ([CONTAINER_RESTART, 'restart'] as const);
  const waited = memory[field] ?? { waitMs: limits.initialMs, updatedAt: trouble.failedAt };
  const decision = decideRetry(waited, trouble.failedAt, now, limits);
  if (!decision.retry) return { actions: [], waits: [decision.until] };
  return only({
    ...at,
    kind: 'create',
    attempt,
    backOff: { [field]: decision.backOff },
  } satisfies CreateAction);
}

function restart(
  at: OnContainer,
  container: SeenContainer,
  memory: ContainerMemory,
  { context, spec, seen }: PodView,
): ContainerSteps {
  if (memory.trouble && memory.trouble.kind !== 'hook')
    return create(at, container.attempt + 1, memory, context);
  if (endedWithHolder(container, spec, seen))
    return only({
      ...at,
      kind: 'create',
      attempt: container.attempt + 1,
      reason: "the pod's network is new",
    });
  const doubt = doubtUntil(container, spec, seen, context.now);
  if (doubt !== undefined) return { actions: [], waits: [doubt] };
  const limits = at.container === HOLDER ? HOLDER_RESTART : CONTAINER_RESTART;
  const decision = decideRetry(memory.restart, container.endedAt ?? context.now, context.now, limits);
  if (!decision.retry) return { actions: [], waits: [decision.until] };
  return only({
    ...at,
    kind: 'create',
    attempt: container.attempt + 1,
    backOff: { restart: decision.backOff },
    reason: 'it ended, and restartPolicy is Always',
  });
}

/** Of ended containers the newest before the current one is kept, for `logs --previous`. None runs beside it. */
function olderAttempts(
  at: OnContainer,
  seen: readonly SeenContainer[],
  current: SeenContainer,
  context: PlanContext,
): NodeAction[] {
  const older = seen.filter(({ name, attempt }) => name === current.name && attempt < current.attempt);
  const previous = latest(
    current.name,
    older.filter(({ state }) => state === 'exited'),
  );
  return older.flatMap((container): NodeAction[] => {
    if (context.busy.has(container.id)) return [];
    if (container.state === 'running') return [stopAction(at, container, 0, 'a newer attempt exists')];
    return container === previous
      ? []
      : [{ ...at, kind: 'remove', id: container.id, reason: 'an older attempt' }];
  });
}

function planStop(
  choice: PodChoice,
  seen: readonly SeenContainer[],
  pod: PlannedPod | undefined,
  context: PlanContext,
): ContainerSteps {
  const podUid = choice.record.uid;
  const names = pod?.template ? containerNames(pod.template) : [];
  const isBusy = (name: string) => context.busy.has(containerKey(podUid, name));
  if (seen.length === 0)
    return names.some(isBusy) ? NOTHING : only({ kind: 'forget', podUid, reason: choice.reason });
  const appsRun = seen.some(({ name, state }) => name !== HOLDER && state === 'running');
  const actions = seen.flatMap((container): NodeAction[] => {
    const at: OnContainer = { podUid, container: container.name, reason: choice.reason };
    if (isBusy(container.name) || context.busy.has(container.id)) return [];
    if (container.state !== 'running')
      return container.name === HOLDER && appsRun ? [] : [{ ...at, kind: 'remove', id: container.id }];
    if (container.name === HOLDER) return appsRun ? [] : [stopAction(at, container, 0, choice.reason)];
    return [
      ...stopWhen(
        at,
        container,
        choice.reason,
        { spec: pod?.template?.spec, seen, context },
        podGrace(choice, context),
      ).actions,
    ];
  });
  return { actions, waits: [] };
}

/** Rule 101: sidecars end after the main containers, and in the reverse of their order. */
export function endBefore(spec: PodSpec, containerName: string): readonly string[] {
  const inits = spec.initContainers ?? [];
  const index = inits.findIndex((one) => one.name === containerName && isSidecar(one));
  return index < 0 ? [] : [...spec.containers, ...inits.slice(index + 1)].map(({ name }) => name);
}

function stopWhen(
  at: OnContainer,
  container: SeenContainer,
  reason: string,
  { spec, seen, context }: { spec: PodSpec | undefined; seen: PodView['seen']; context: PlanContext },
  graceSeconds: number,
): ContainerSteps {
  const stop = stopAction(at, container, graceSeconds, reason);
  const before = spec ? endBefore(spec, container.name) : [];
  if (before.length === 0) return only(stop);
  // What is just being started is stopped when it runs; its turn is before this one's.
  if (before.some((name) => context.busy.get(containerKey(at.podUid, name)) === 'start')) return NOTHING;
  const after = before.filter((name) =>
    seen.some((other) => other.name === name && other.state === 'running'),
  );
  return only(after.length > 0 ? { ...stop, after } : stop);
}
