// How the containers of a pod end: each in its grace, sidecars after those that they serve, the holder last.
import type { PodSpec } from '../schema/pod.ts';
import type { PodChoice } from './choose-pods.ts';
import type { NodeAction, OnContainer } from './node-action.ts';
import {
  containerKey,
  containerNames,
  HOLDER,
  isSidecar,
  type PlannedPod,
  type SeenContainer,
} from './pod-record.ts';
import {
  type ContainerSteps,
  NOTHING,
  only,
  type PlanContext,
  type PodView,
  stopAction,
} from './pod-steps.ts';
import { podGrace } from './stop-grace.ts';

export function planStop(
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
    // As long as others run, what has ended stays to be seen: its exit code, its restarts, its logs.
    const stays = container.name === HOLDER || container.state === 'exited';
    if (container.state !== 'running')
      return stays && appsRun ? [] : [{ ...at, kind: 'remove', id: container.id }];
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

export function stopWhen(
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
