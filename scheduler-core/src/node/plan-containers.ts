// The next possible actions on the containers of one pod, by its bucket (rules 96 to 99).
import { CONTAINER_RESTART, decideRetry, IMAGE_PULL } from '../restart-back-off.ts';
import type { PodChoice } from './choose-pods.ts';
import { wantsPodAddress } from './field-ref.ts';
import type { ContainerMemory, CreateAction, NodeAction, OnContainer } from './node-action.ts';
import { containerKey, containerNames, HOLDER, type PlannedPod, type SeenContainer } from './pod-record.ts';

export interface PlanContext {
  readonly now: number;
  readonly tombstones: ReadonlyMap<string, number | undefined>;
  readonly containers: readonly SeenContainer[];
  readonly busy: ReadonlyMap<string, NodeAction['kind']>;
  readonly memory: ReadonlyMap<string, ContainerMemory>;
  readonly unhealthy: ReadonlyMap<string, string>;
  readonly pods: ReadonlyMap<string, PlannedPod>;
}

export interface ContainerSteps {
  readonly actions: readonly NodeAction[];
  /** Instants at which something that waits becomes possible. */
  readonly waits: readonly number[];
}

const NOTHING: ContainerSteps = { actions: [], waits: [] };
const DEFAULT_GRACE_SECONDS = 30;

export function planContainers(choice: PodChoice, context: PlanContext): ContainerSteps {
  const pod = context.pods.get(choice.record.uid);
  const seen = context.containers.filter(({ podUid }) => podUid === choice.record.uid);
  if (choice.bucket === 'stop') return planStop(choice, seen, pod, context);
  if (!pod?.template) return NOTHING;
  const holder = containerNames(pod.template)[0] === HOLDER;
  const steps = containerNames(pod.template).map((name) => planOne(name, { choice, seen, context, holder }));
  return {
    actions: steps.flatMap(({ actions }) => actions),
    waits: steps.flatMap(({ waits }) => waits),
  };
}

interface PodView {
  readonly choice: PodChoice;
  readonly seen: readonly SeenContainer[];
  readonly context: PlanContext;
  /** The pod has a network of its own. */
  readonly holder: boolean;
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
    if (canBeCreated(name, pod)) return create(at, attempt, memory, context);
    return canBeChecked(name, memory, pod) ? asCheck(create(at, attempt, memory, context)) : NOTHING;
  }
  const tidy = olderAttempts(at, seen, container, context);
  return withTidy(nextStep(at, container, memory, pod), tidy);
}

/** The number of a holder that vanished is not given again: what joined that one would pass for joining this. */
const firstAttempt = (name: string, seen: readonly SeenContainer[]): number =>
  name === HOLDER ? 1 + Math.max(-1, ...seen.map(({ holderAttempt }) => holderAttempt ?? -1)) : 0;

const asCheck = ({ actions, waits }: ContainerSteps): ContainerSteps => ({
  actions: actions.map((action) => (action.kind === 'create' ? { ...action, only: 'check' } : action)),
  waits,
});

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
  const lostNetwork = joinsAnEndedHolder(container, pod);
  switch (container.state) {
    case 'running': {
      const why = lostNetwork ? "the pod's network is gone" : context.unhealthy.get(container.id);
      return why === undefined ? NOTHING : only(stopAction(at, container, graceOf(choice, context), why));
    }
    case 'created':
      // Without its network it waits for a new holder: made now, it would be on the host's.
      if (!canBeCreated(container.name, pod)) return NOTHING;
      if (lostNetwork)
        return create({ ...at, reason: "the pod's network is new" }, container.attempt + 1, memory, context);
      if (memory.trouble?.kind === 'start' || memory.trouble?.kind === 'config')
        return create(at, container.attempt + 1, memory, context);
      return mayStart(container, pod) ? only({ ...at, kind: 'start', id: container.id }) : NOTHING;
    case 'exited':
      return choice.bucket === 'run' && canBeCreated(container.name, pod)
        ? restart(at, container, memory, context)
        : NOTHING;
  }
}

const only = (action: NodeAction): ContainerSteps => ({ actions: [action], waits: [] });

const stopAction = (
  at: OnContainer,
  container: SeenContainer,
  graceSeconds: number,
  reason: string,
): NodeAction => ({ ...at, kind: 'stop', id: container.id, graceSeconds, reason });

/** Containers join the network of a holder that exists and has not ended; who names its address waits until it runs. */
function canBeCreated(name: string, pod: PodView): boolean {
  if (!pod.holder || name === HOLDER) return true;
  const current = latest(HOLDER, pod.seen);
  if (current === undefined || current.state === 'exited') return false;
  return current.state === 'running' || !namesPodAddress(name, pod);
}

/** Beside the pod it replaces, so that what is wrong with it is known before that one is stopped. */
const canBeChecked = (name: string, memory: ContainerMemory, pod: PodView): boolean =>
  pod.choice.bucket === 'prepare' && memory.checked !== true && namesPodAddress(name, pod);

function namesPodAddress(name: string, { choice, context }: PodView): boolean {
  const containers = context.pods.get(choice.record.uid)?.template?.spec?.containers ?? [];
  return containers.some((container) => container.name === name && wantsPodAddress(container));
}

function mayStart({ name }: SeenContainer, { choice, holder, seen }: PodView): boolean {
  if (choice.bucket !== 'run') return false;
  return !holder || name === HOLDER || latest(HOLDER, seen)?.state === 'running';
}

function joinsAnEndedHolder({ name, holderAttempt }: SeenContainer, { holder, seen }: PodView): boolean {
  if (!holder || name === HOLDER) return false;
  const current = latest(HOLDER, seen);
  return current === undefined || current.state === 'exited' || current.attempt !== holderAttempt;
}

/** A first try at once; after a failure by its back-off, images by one of their own (rule 98), and for want of a
 *  ConfigMap or Secret when those have changed. */
function create(
  at: OnContainer,
  attempt: number,
  memory: ContainerMemory,
  { now, pods }: PlanContext,
): ContainerSteps {
  const { trouble } = memory;
  if (!trouble) return only({ ...at, kind: 'create', attempt });
  if (trouble.kind === 'config')
    return trouble.config === pods.get(at.podUid)?.config
      ? NOTHING
      : only({ ...at, kind: 'create', attempt });
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
  context: PlanContext,
): ContainerSteps {
  if (memory.trouble) return create(at, container.attempt + 1, memory, context);
  const decision = decideRetry(
    memory.restart,
    container.endedAt ?? context.now,
    context.now,
    CONTAINER_RESTART,
  );
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
  if (seen.length === 0)
    return names.some((name) => context.busy.has(containerKey(podUid, name)))
      ? NOTHING
      : only({ kind: 'forget', podUid, reason: choice.reason });
  const appsRun = seen.some(({ name, state }) => name !== HOLDER && state === 'running');
  const actions = seen.flatMap((container): NodeAction[] => {
    const at: OnContainer = { podUid, container: container.name, reason: choice.reason };
    if (context.busy.has(containerKey(podUid, container.name)) || context.busy.has(container.id)) return [];
    if (container.state !== 'running')
      return container.name === HOLDER && appsRun ? [] : [{ ...at, kind: 'remove', id: container.id }];
    if (container.name === HOLDER) return appsRun ? [] : [stopAction(at, container, 0, choice.reason)];
    return [stopAction(at, container, graceOf(choice, context), choice.reason)];
  });
  return { actions, waits: [] };
}

/** Rule 66: what the deletion asked for, else the pod's own. */
function graceOf({ record }: PodChoice, context: PlanContext): number {
  const asked = context.tombstones.get(record.uid);
  const own = context.pods.get(record.uid)?.template?.spec?.terminationGracePeriodSeconds;
  return asked ?? own ?? DEFAULT_GRACE_SECONDS;
}

const latest = (name: string, seen: readonly SeenContainer[]): SeenContainer | undefined =>
  seen
    .filter((container) => container.name === name)
    .reduce<SeenContainer | undefined>(
      (best, container) => (!best || container.attempt > best.attempt ? container : best),
      undefined,
    );
