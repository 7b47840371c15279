// What is remembered of a container as people are shown it: one that ended with its pod's holder, or with
// the engine, waits for no back-off.
import { doubtUntil, isNoCrash } from '@fleetset/scheduler-core/node/lost-holder';
import type { ContainerMemory } from '@fleetset/scheduler-core/node/node-action';
import type { PodSpec } from '@fleetset/scheduler-core/schema/pod';
import type { RuntimeContainer } from '../runtime/container-runtime.ts';
import { seenAs } from './ended-containers.ts';
import type { NodeAgent } from './node-agent-parts.ts';

export interface ShownContainer {
  readonly podUid: string;
  readonly spec: PodSpec;
  readonly name: string;
  /** Of its attempts. */
  readonly newest: RuntimeContainer | undefined;
  /** The pod's. */
  readonly containers: readonly RuntimeContainer[];
  readonly now: number;
}

export function memoryShown(
  agent: Pick<NodeAgent, 'memoryOf' | 'endedAt' | 'endedWithEngine'>,
  { podUid, spec, name, newest, containers, now }: ShownContainer,
): ContainerMemory | undefined {
  const memory = agent.memoryOf(podUid, name);
  if (!memory?.restart || newest?.state !== 'exited') return memory;
  const asSeen = (container: RuntimeContainer) =>
    seenAs(container, agent.endedAt(container.id), agent.endedWithEngine(container.id));
  const seen = containers.map(asSeen);
  const isCrash =
    !isNoCrash(asSeen(newest), spec, seen) && doubtUntil(asSeen(newest), spec, seen, now) === undefined;
  if (isCrash) return memory;
  const { restart: _over, ...rest } = memory;
  return rest;
}
