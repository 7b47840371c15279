// What planning the containers of one pod looks at, and what comes of it.
import type { PodSpec } from '../schema/pod.ts';
import type { PodChoice } from './choose-pods.ts';
import type { InitProgress } from './init-progress.ts';
import type { ContainerMemory, NodeAction, OnContainer, StopAction } from './node-action.ts';
import type { PlannedPod, SeenContainer } from './pod-record.ts';

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

export interface PodSteps extends ContainerSteps {
  /** Containers that may start as soon as they are made, by containerKey. */
  readonly startable: readonly string[];
}

export const NOTHING: ContainerSteps = { actions: [], waits: [] };

export interface PodView {
  readonly choice: PodChoice;
  readonly seen: readonly SeenContainer[];
  readonly context: PlanContext;
  readonly spec: PodSpec;
  /** The pod has a holder. */
  readonly holder: boolean;
  readonly init: InitProgress;
}

export const only = (action: NodeAction): ContainerSteps => ({ actions: [action], waits: [] });

export const stopAction = (
  at: OnContainer,
  container: SeenContainer,
  graceSeconds: number,
  reason: string,
): StopAction => ({ ...at, kind: 'stop', id: container.id, graceSeconds, reason });
