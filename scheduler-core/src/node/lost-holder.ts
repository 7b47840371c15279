// Containers whose holder is gone, or that ended with the engine: they are made anew, and it is no failure of theirs.
import type { PodSpec } from '../schema/pod.ts';
import type { ContainerMemory } from './node-action.ts';
import { HOLDER, isInitContainer, latest, needsHolder, type SeenContainer } from './pod-record.ts';

/** What dies with its holder's processes is seen to end a moment before it. */
const AT_ONCE_MS = 1000;
/** By SIGKILL. */
const KILLED = 137;

/** What it shares with the pod is no more. `seen`: the pod's containers. */
export function hasLostHolder(
  { name, holderAttempt }: SeenContainer,
  spec: PodSpec,
  seen: readonly SeenContainer[],
): boolean {
  if (name === HOLDER || !needsHolder({ spec })) return false;
  // Made by an agent that gave no holder to pods on the host's network: nothing it shares is gone.
  if (spec.hostNetwork && holderAttempt === undefined) return false;
  const current = latest(HOLDER, seen);
  return current === undefined || current.state === 'exited' || current.attempt !== holderAttempt;
}

/** It is restarted at once, and its back-off stays what it was. */
export const isNoCrash = (container: SeenContainer, spec: PodSpec, seen: readonly SeenContainer[]): boolean =>
  container.withEngine === true || endedWithHolder(container, spec, seen);

/** It ended for want of its holder, or had done its work: unlike one that had ended by itself before, it waits for no
 *  back-off. */
function endedWithHolder(container: SeenContainer, spec: PodSpec, seen: readonly SeenContainer[]): boolean {
  if (container.state !== 'exited' || !hasLostHolder(container, spec, seen)) return false;
  if (isInitContainer(spec, container.name) && container.exitCode === 0) return true;
  const lostAt = holderOf(container, seen)?.endedAt;
  return lostAt === undefined || (container.endedAt ?? lostAt) >= lostAt - AT_ONCE_MS;
}

/** Until when it is not known whether it ended by itself: the kernel kills those that share its processes before a holder
 *  is seen to end. Undefined: it is known. */
export function doubtUntil(
  container: SeenContainer,
  { shareProcessNamespace }: PodSpec,
  seen: readonly SeenContainer[],
  now: number,
): number | undefined {
  const { name, exitCode, endedAt, holderAttempt } = container;
  if (!shareProcessNamespace || name === HOLDER || exitCode !== KILLED || endedAt === undefined)
    return undefined;
  const holder = latest(HOLDER, seen);
  if (holder?.state !== 'running' || holder.attempt !== holderAttempt) return undefined;
  return endedAt + AT_ONCE_MS > now ? endedAt + AT_ONCE_MS : undefined;
}

/** What could not be made on a holder that was ending is tried again on the next. */
export function memoryOnNextHolder(
  memory: ContainerMemory,
  container: SeenContainer,
  seen: readonly SeenContainer[],
): ContainerMemory {
  const lostAt = holderOf(container, seen)?.endedAt;
  const { trouble, ...rest } = memory;
  return trouble && lostAt !== undefined && trouble.failedAt <= lostAt ? rest : memory;
}

/** The one it was made on. */
const holderOf = ({ holderAttempt }: SeenContainer, seen: readonly SeenContainer[]) =>
  seen.find(({ name, attempt }) => name === HOLDER && attempt === holderAttempt);
