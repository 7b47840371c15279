// When containers ended, by this agent's steady clock: Docker's own times are another clock's.
import type { SeenContainer } from '@fleetset/scheduler-core/node/pod-record';
import type { ContainerHealth } from '@fleetset/scheduler-core/probe-state';
import type { RuntimeContainer } from '../runtime/container-runtime.ts';

export interface EndedContainers {
  /** As the plan takes it: first seen ended, at `now`, is when it ended. `wasAway`: the engine, until this look. */
  readonly seen: (
    container: RuntimeContainer,
    health: ContainerHealth | undefined,
    now: number,
    wasAway: boolean,
  ) => SeenContainer;
  /** It did not answer from `goneAt` on: what ended shortly before, while it was going, ended with it. */
  readonly engineIsBack: (goneAt: number) => void;
  readonly withEngine: (containerId: string) => boolean;
  readonly at: (containerId: string) => number | undefined;
  /** The others are gone. */
  readonly keepOnly: (containers: readonly RuntimeContainer[]) => void;
}

/** An engine that is stopped gives its containers so long, and answers meanwhile. */
const ENGINE_STOP_MS = 15_000;

export function createEndedContainers(): EndedContainers {
  const ended = new Map<string, { readonly at: number; readonly withEngine: boolean }>();
  return {
    seen: (container, health, now, wasAway) => {
      const { id, state } = container;
      if (state === 'exited' && !ended.has(id)) ended.set(id, { at: now, withEngine: wasAway });
      if (state !== 'exited') ended.delete(id);
      const end = ended.get(id);
      const seen = seenAs(container, end?.at, end?.withEngine);
      return state === 'running' ? { ...seen, started: health?.started ?? false } : seen;
    },
    engineIsBack: (goneAt) => {
      for (const [id, { at }] of ended)
        if (at >= goneAt - ENGINE_STOP_MS) ended.set(id, { at, withEngine: true });
    },
    withEngine: (id) => ended.get(id)?.withEngine ?? false,
    at: (id) => ended.get(id)?.at,
    keepOnly: (containers) => {
      const present = new Set(containers.map(({ id }) => id));
      for (const id of ended.keys()) if (!present.has(id)) ended.delete(id);
    },
  };
}

/** Without what a prober knows of it. */
export function seenAs(
  { id, identity, state, exitCode, startFailed }: RuntimeContainer,
  endedAt: number | undefined,
  withEngine = false,
): SeenContainer {
  const { pod, name, attempt, holderAttempt } = identity;
  return {
    id,
    podUid: pod.uid,
    name,
    attempt,
    state,
    ...(endedAt === undefined ? {} : { endedAt }),
    ...(withEngine ? { withEngine } : {}),
    ...(holderAttempt === undefined ? {} : { holderAttempt }),
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(startFailed ? { startFailed } : {}),
  };
}
