// Ends a container for certain: an engine that cannot stop it is asked to kill it, then its first process is killed
// without the engine, and what is left after that is told.
import { HOLDER } from '@fleetset/scheduler-core/node/pod-record';
import { type ContainerRuntime, isRuntimeError } from '../runtime/container-runtime.ts';
import { isInContainer } from '../runtime/end-session.ts';
import type { AgentEvents } from './agent-events.ts';

export interface EndParts {
  readonly runtime: Pick<ContainerRuntime, 'stop' | 'kill'>;
  readonly events: AgentEvents;
  readonly pidOf: (containerId: string) => number | undefined;
}

export interface ContainerToEnd {
  readonly id: string;
  readonly podUid: string;
  /** Its name in the pod, or HOLDER. */
  readonly container: string;
  readonly graceSeconds: number;
}

/** Throws when it may still run. */
export async function endContainer(parts: EndParts, stopped: ContainerToEnd): Promise<void> {
  const { runtime } = parts;
  const why = await failureOf(runtime.stop(stopped.id, stopped.graceSeconds));
  if (!why) return;
  // The grace is over, and there is nobody to kill it: the loop comes back to it.
  if (isRuntimeError(why, 'unreachable')) throw why;
  const alsoWhy = await failureOf(runtime.kill(stopped.id));
  if (!alsoWhy) return;
  if (killProcess(parts.pidOf(stopped.id), stopped.id)) return;
  const what = stopped.container === HOLDER ? "the pod's network" : `container ${stopped.container}`;
  const message = `error killing pod: ${what} cannot be stopped: ${why.message}; nor killed: ${alsoWhy.message}`;
  parts.events.add({ type: 'Warning', reason: 'FailedKillPod', message, podUid: stopped.podUid });
  throw new Error(message, { cause: alsoWhy });
}

/** What is gone, or does not run any more, is stopped. */
async function failureOf(call: Promise<void>): Promise<Error | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    const ended = isRuntimeError(error, 'not-found') || /is not running/.test((error as Error).message);
    return ended ? undefined : (error as Error);
  }
}

/** Only what is in the container's control group: the number may be another process's by now. */
function killProcess(pid: number | undefined, containerId: string): boolean {
  try {
    if (pid === undefined || pid <= 1 || !isInContainer(containerId, pid)) return false;
    return process.kill(pid, 'SIGKILL');
  } catch {
    return false;
  }
}
