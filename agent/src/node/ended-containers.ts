// When containers ended, by this agent's steady clock: Docker's own times are another clock's.
import type { SeenContainer } from '@fleetset/scheduler-core/node/pod-record';
import type { ContainerHealth } from '@fleetset/scheduler-core/probe-state';
import type { RuntimeContainer } from '../runtime/container-runtime.ts';

export interface EndedContainers {
  /** As the plan takes it: first seen ended is when it ended. */
  readonly seen: (container: RuntimeContainer, health: ContainerHealth | undefined) => SeenContainer;
  readonly at: (containerId: string) => number | undefined;
  /** The others are gone. */
  readonly keepOnly: (containers: readonly RuntimeContainer[]) => void;
}

export function createEndedContainers(monotonicNow: () => number): EndedContainers {
  const ended = new Map<string, number>();
  return {
    seen: ({ id, identity, state, exitCode }, health) => {
      if (state === 'exited' && !ended.has(id)) ended.set(id, monotonicNow());
      if (state !== 'exited') ended.delete(id);
      const endedAt = ended.get(id);
      return {
        id,
        podUid: identity.pod.uid,
        name: identity.name,
        attempt: identity.attempt,
        state,
        ...(endedAt === undefined ? {} : { endedAt }),
        ...(identity.holderAttempt === undefined ? {} : { holderAttempt: identity.holderAttempt }),
        ...(exitCode === undefined ? {} : { exitCode }),
        ...(state === 'running' ? { started: health?.started ?? false } : {}),
      };
    },
    at: (id) => ended.get(id),
    keepOnly: (containers) => {
      const present = new Set(containers.map(({ id }) => id));
      for (const id of ended.keys()) if (!present.has(id)) ended.delete(id);
    },
  };
}
