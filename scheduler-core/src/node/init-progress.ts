// How far a pod's initialization has come, and which of its containers it lets run (rules 100 and 101). Only what ran
// on the newest holder counts: when that is lost, all init containers run again.
import type { Container } from '../schema/container.ts';
import type { PodSpec } from '../schema/pod.ts';
import { HOLDER, isSidecar, latest, type SeenContainer } from './pod-record.ts';

export interface InitProgress {
  /** Every init container has done its work, or runs and has started: the others may run. */
  readonly initialized: boolean;
  /** Init containers that are to be made, started or restarted when they do not run. */
  readonly due: ReadonlySet<string>;
  /** Init containers that have ended well. */
  readonly completed: ReadonlySet<string>;
}

/** `isBusyStarting`: its start is under way, the postStart hook included. */
export function initProgress(
  { initContainers = [], containers }: PodSpec,
  seen: readonly SeenContainer[],
  isBusyStarting: (name: string) => boolean = () => false,
): InitProgress {
  const holder = latest(HOLDER, seen);
  const here = seen.filter(
    ({ state, holderAttempt }) =>
      state !== 'created' &&
      holder !== undefined &&
      holder.state !== 'exited' &&
      holderAttempt === holder.attempt,
  );
  const current = ({ name }: Container) => latest(name, here);
  const completed = new Set(
    initContainers.filter((one) => hasCompleted(one, current(one))).map(({ name }) => name),
  );
  const sidecarsBefore = (end: number) =>
    initContainers
      .slice(0, end)
      .filter(isSidecar)
      .map(({ name }) => name);
  const done = { initialized: true, due: new Set(sidecarsBefore(initContainers.length)), completed };
  // The marks of earlier ones may have been removed: the last that has begun tells how far it came.
  if (initContainers.length === 0 || containers.some((one) => current(one))) return done;
  const last = initContainers.findLastIndex((one) => current(one));
  const reached = initContainers[last];
  const passed = reached && isPassed(reached, current(reached), isBusyStarting(reached.name));
  const next = passed === false ? last : last + 1;
  const name = initContainers[next]?.name;
  if (name === undefined) return done;
  return { initialized: false, due: new Set([...sidecarsBefore(next), name]), completed };
}

const hasCompleted = (container: Container, current: SeenContainer | undefined): boolean =>
  !isSidecar(container) && current?.state === 'exited' && current.exitCode === 0;

/** The next one may begin. */
function isPassed(
  container: Container,
  current: SeenContainer | undefined,
  isBusyStarting: boolean,
): boolean {
  if (!isSidecar(container)) return hasCompleted(container, current);
  if (current?.state !== 'running' || isBusyStarting) return false;
  return container.startupProbe === undefined || current.started === true;
}
