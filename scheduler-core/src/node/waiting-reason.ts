// Why a container is not running now, in the words `kubectl get pods` shows.
import type { PodSpec } from '../schema/pod.ts';
import { type ContainerMemory, isOfItsEnd } from './node-action.ts';
import type { PodRecord, SeenContainer } from './pod-record.ts';

export interface WaitingReason {
  readonly reason: string;
  readonly message?: string;
}

/** Before anything else is known; 'PodInitializing' in a pod with init containers. */
export type FirstReason = 'ContainerCreating' | 'PodInitializing';
export const firstReason = (spec: PodSpec | undefined): FirstReason =>
  spec?.initContainers?.length ? 'PodInitializing' : 'ContainerCreating';

const UNDER_WAY: readonly string[] = ['FailedMount', 'ContainerCreating'];

/** Undefined when it runs, or has just ended and is about to be restarted. */
export function waitingReason(
  record: PodRecord,
  name: string,
  image: string,
  container: SeenContainer | undefined,
  memory: ContainerMemory | undefined,
  now: number,
  first: FirstReason = 'ContainerCreating',
): WaitingReason | undefined {
  if (container?.state === 'running') return undefined;
  const trouble = memory?.trouble;
  if (trouble?.kind === 'image') return imageTrouble(image, trouble, memory?.pull !== undefined);
  // As in Kubernetes a volume that cannot be had shows as such in events only; the message says why here too. What is
  // only under way has no reason of its own.
  const why = trouble && {
    reason: UNDER_WAY.includes(trouble.reason) ? first : trouble.reason,
    message: trouble.message,
  };
  if (trouble && !(container && isOfItsEnd(trouble, container))) return why;
  if (container?.state !== 'exited') return { reason: first };
  const waitMs = memory?.restart?.waitMs;
  if (waitMs === undefined || container.endedAt === undefined || now >= container.endedAt + waitMs)
    return why;
  // It is being restarted: the wait is that of the next end.
  if (memory?.making !== undefined && memory.making > container.attempt) return undefined;
  return {
    reason: 'CrashLoopBackOff',
    message: `back-off ${formatSeconds(waitMs)} restarting failed container=${name} pod=${record.name}_${record.namespace}(${record.uid})`,
  };
}

/** The first failure is shown as it is, later ones as waiting for the next try. */
function imageTrouble(
  image: string,
  { reason, message }: { readonly reason: string; readonly message: string },
  backingOff: boolean,
): WaitingReason {
  if (reason !== 'ErrImagePull' || !backingOff) return { reason, message };
  return {
    reason: 'ImagePullBackOff',
    message: `Back-off pulling image ${JSON.stringify(image)}: ${message}`,
  };
}

/** As Go prints durations: 10s, 1m20s, 5m0s. */
function formatSeconds(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
