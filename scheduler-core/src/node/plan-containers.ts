// The next possible actions on the containers of one pod, by its bucket (rules 96 to 102).
import type { PodChoice } from './choose-pods.ts';
import { create, restart } from './container-retry.ts';
import { canBeChecked, canBeCreated, mayStart } from './container-turn.ts';
import { initProgress } from './init-progress.ts';
import { hasLostHolder, memoryOnNextHolder } from './lost-holder.ts';
import type { ContainerMemory, NodeAction, OnContainer } from './node-action.ts';
import { planStop, stopWhen } from './plan-stop.ts';
import {
  containerKey,
  containerNames,
  HOLDER,
  isInitContainer,
  latest,
  needsHolder,
  type SeenContainer,
} from './pod-record.ts';
import {
  type ContainerSteps,
  NOTHING,
  only,
  type PlanContext,
  type PodSteps,
  type PodView,
  stopAction,
} from './pod-steps.ts';
import { graceAfterProbe, podGrace } from './stop-grace.ts';

export function planContainers(choice: PodChoice, context: PlanContext): PodSteps {
  const pod = context.pods.get(choice.record.uid);
  const seen = context.containers.filter(({ podUid }) => podUid === choice.record.uid);
  if (choice.bucket === 'stop') return { ...planStop(choice, seen, pod, context), startable: [] };
  if (!pod?.template?.spec) return { ...NOTHING, startable: [] };
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
  const names = containerNames(pod.template);
  const steps = names.map((name) => planOne(name, view));
  return {
    actions: steps.flatMap(({ actions }) => actions),
    waits: steps.flatMap(({ waits }) => waits),
    startable: names
      .filter((name) => canBeCreated(name, view) && mayStart(name, view))
      .map((name) => containerKey(choice.record.uid, name)),
  };
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
      return mayStart(container.name, pod) ? only({ ...at, kind: 'start', id: container.id }) : NOTHING;
    case 'exited':
      return choice.bucket === 'run' && canBeCreated(container.name, pod)
        ? restart(at, container, known, pod)
        : NOTHING;
  }
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
