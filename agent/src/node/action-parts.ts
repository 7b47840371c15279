// What an action needs of the agent, and how it fails.
import type { OnContainer, Trouble } from '@fleetset/scheduler-core/node/node-action';
import {
  HOLDER,
  isInitContainer,
  type NodeDaemonSet,
  type PodRecord,
} from '@fleetset/scheduler-core/node/pod-record';
import type { PodTemplateSpec } from '@fleetset/scheduler-core/schema/pod';
import type { ContainerRuntime, RuntimeContainer } from '../runtime/container-runtime.ts';
import type { PodBook } from '../state/pod-book.ts';
import type { TerminationLogs } from '../state/termination-logs.ts';
import type { AgentEvents, NewEvent } from './agent-events.ts';
import type { PrepareParts } from './prepare-container.ts';
import type { RunningHooks } from './running-hooks.ts';

export interface ExecuteParts extends PrepareParts {
  readonly runtime: ContainerRuntime;
  readonly pods: PodBook;
  readonly events: AgentEvents;
  readonly machineMemoryBytes: number;
  readonly minOomScoreAdjust: number;
  readonly terminationLogs: TerminationLogs;
  /** Where the node keeps the seccomp profiles that pods may name. */
  readonly seccompDirectory: string;
  readonly templateOf: (pod: PodRecord) => PodTemplateSpec | undefined;
  readonly daemonSet: (uid: string) => NodeDaemonSet | undefined;
  /** Of the container's first process, as seen last. */
  readonly pidOf: (containerId: string) => number | undefined;
  /** The newest holder of a pod, as seen last. */
  readonly holderOf: (podUid: string) => { readonly id: string; readonly attempt: number } | undefined;
  /** Above that of every holder that a container of the pod was made for: also of one that vanished since, whose
   *  number must not come back while containers still join its network. */
  readonly nextHolderAttempt: (podUid: string) => number;
  /** Where a pod listens; undefined while that is not known. */
  readonly podIp: (podUid: string) => string | undefined;
  readonly hooks: RunningHooks;
  /** Of these containers of the pod some run, as seen last. */
  readonly anyRuns: (podUid: string, names: readonly string[]) => boolean;
  /** Over when the engine has been looked at again. */
  readonly nextLook: (signal: AbortSignal) => Promise<void>;
  readonly signal: AbortSignal;
}

/** Which container an event is about. */
export const about = (parts: ExecuteParts, record: PodRecord, container: string) => ({
  podUid: record.uid,
  container,
  init: isInitContainer(parts.templateOf(record)?.spec ?? { containers: [] }, container),
});

/** What people are told of a failed action; `whose`: the container it is about. */
export function troubleEvent(
  { podUid, container }: OnContainer,
  { reason, message }: Trouble,
  whose: Pick<NewEvent, 'podUid' | 'container' | 'init'>,
): NewEvent {
  if (container === HOLDER)
    return {
      type: 'Warning',
      reason: 'FailedCreatePodSandBox',
      message: `Failed to create pod sandbox: ${message}`,
      podUid,
    };
  // A volume is the pod's, not one container's.
  return reason === 'FailedMount'
    ? { type: 'Warning', reason, message, podUid }
    : { type: 'Warning', reason: 'Failed', message: `Error: ${message}`, ...whose };
}

export const trouble = (
  parts: ExecuteParts,
  kind: Trouble['kind'],
  reason: string,
  message: string,
): Trouble => ({
  kind,
  reason,
  message,
  failedAt: parts.monotonicNow(),
});

export const isListed = async ({ runtime }: ExecuteParts, which: (container: RuntimeContainer) => boolean) =>
  (await runtime.list()).some(which);
