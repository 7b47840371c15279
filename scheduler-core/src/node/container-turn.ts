// Whose turn it is in a pod: which of its containers may be made, checked and started now (rules 100, 101 and 103).
import { wantsPodAddress } from './field-ref.ts';
import type { ContainerMemory } from './node-action.ts';
import { allContainers, containerKey, HOLDER, isInitContainer, latest } from './pod-record.ts';
import type { PodView } from './pod-steps.ts';

/** Init containers in their order, the others after them (rules 100 and 101). */
const isDue = (name: string, { spec, init }: PodView): boolean =>
  name === HOLDER || (isInitContainer(spec, name) ? init.due.has(name) : init.initialized);

/** Containers join a holder that exists and has not ended; who names the pod's address waits until it runs. */
export function canBeCreated(name: string, pod: PodView): boolean {
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
export const canBeChecked = (name: string, memory: ContainerMemory, pod: PodView): boolean =>
  pod.choice.bucket === 'prepare' &&
  memory.checked !== true &&
  (!isDue(name, pod) || namesPodAddress(name, pod));

export function mayStart(name: string, pod: PodView): boolean {
  if (pod.choice.bucket !== 'run') return false;
  // One that somebody started again by hand ends first.
  if (pod.seen.some((other) => other.name === name && other.state === 'running')) return false;
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
