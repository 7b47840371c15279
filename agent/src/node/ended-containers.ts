// When containers ended, by this agent's steady clock: Docker's own times are another clock's.
import type { SeenContainer } from '@fleetset/scheduler-core/node/pod-record';
import type { ContainerHealth } from '@fleetset/scheduler-core/probe-state';
import type { RuntimeContainer } from '../runtime/container-runtime.ts';

export interface EndedContainers {
  /** As the plan takes it: first seen ended, at `now`, is when it ended. */
  readonly seen: (
    container: RuntimeContainer,
    health: ContainerHealth | undefined,
    now: number,
  ) => SeenContainer;
  readonly at: (containerId: string) => number | undefined;
  /** The others are gone. */
  readonly keepOnly: (containers: readonly RuntimeContainer[]) => void;
}

export function createEndedContainers(): EndedContainers {
  const ended = new Map<string, number>();
  return {
    seen: (container, health, now) => {
      const { id, state } = container;
      if (state === 'exited' && !ended.has(id)) ended.set(id, now);
      if (state !== 'exited') ended.delete(id);
      const seen = seenAs(container, ended.get(id));
      return state === 'running' ? { ...seen, started: health?.started ?? false } : seen;
    },
    at: (id) => ended.get(id),
    keepOnly: (containers) => {
      const present = new Set(containers.map(({ id }) => id));
      for (const id of ended.keys()) if (!present.has(id)) ended.delete(id);
    },
  };
}

/** Without what a prober knows of it. */
export function seenAs(
  { id, identity, state, exitCode }: RuntimeContainer,
  endedAt: number | undefined,
): SeenContainer {
  const { pod, name, attempt, holderAttempt } = identity;
  return {
    id,
    podUid: pod.uid,
    name,
    attempt,
    state,
    ...(endedAt === undefined ? {} : { endedAt }),
    ...(holderAttempt === undefined ? {} : { holderAttempt }),
    ...(exitCode === undefined ? {} : { exitCode }),
  };
}
