// A pod's status as Kubernetes shows it, from what the node sees of its containers (rules 92, 93, 99 to 101).
import type { ContainerHealth } from '../probe-state.ts';
import type { Container } from '../schema/container.ts';
import type { ContainerState, ContainerStatus, PodCondition, PodSpec, PodStatus } from '../schema/pod.ts';
import type { Block } from './blocked-pods.ts';
import type { PodEnd } from './finished-pods.ts';
import { isSidecar } from './pod-record.ts';
import { qosClass } from './qos-class.ts';

/** One container as the engine shows it, for people: instants are RFC 3339. */
export interface ShownContainer {
  readonly id: string;
  readonly attempt: number;
  readonly state: 'created' | 'running' | 'exited';
  readonly image: string;
  readonly imageId: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
  readonly exitCode?: number;
  readonly oomKilled?: boolean;
  /** What the engine said when it could not be started. */
  readonly error?: string;
  /** It has ended without having begun. */
  readonly startFailed?: boolean;
  /** What it left to say at its end. */
  readonly terminationMessage?: string;
}

export interface ContainerView {
  readonly spec: Container;
  readonly current?: ShownContainer;
  /** The attempt before, while it is kept. */
  readonly previous?: ShownContainer;
  /** Of the running container. */
  readonly health?: ContainerHealth;
  /** Why it is not running, when the agent knows. */
  readonly waiting?: { readonly reason: string; readonly message?: string };
}

export interface PodView {
  readonly spec: PodSpec;
  readonly initContainers?: readonly ContainerView[];
  readonly containers: readonly ContainerView[];
  readonly createdAt: string;
  readonly nodeIp?: string;
  readonly podIp?: string;
  /** The status reported last: conditions that stay keep their transition time. */
  readonly previous?: PodStatus;
  /** It has failed or succeeded. */
  readonly end?: PodEnd;
  /** Nothing can be said of it now: what was known stays. */
  readonly unknown?: boolean;
  /** Why it may not start now. */
  readonly block?: Block;
  /** RFC 3339; for the transition time of conditions that change. */
  readonly nowText: string;
}

export function podStatus(view: PodView): PodStatus {
  if (view.end) return endedPodStatus(view, view.end);
  const { initContainers = [] } = view;
  // Of a pod that no scheduler has let in nothing is said of its containers.
  const isOutside = view.block?.reason === 'Unschedulable';
  const inits = isOutside ? [] : initContainers.map((one) => initStatus(withBlock(one, view), view));
  const statuses = isOutside ? [] : view.containers.map((one) => containerStatus(withBlock(one, view), view));
  const lasting = [...inits.filter((_, index) => isSidecarView(initContainers[index])), ...statuses];
  const unready = lasting.filter(({ ready }) => !ready).map(({ name }) => name);
  const allReady = unready.length === 0 && statuses.length > 0;
  const notReady = {
    reason: 'ContainersNotReady',
    message: `containers with unready status: [${unready.join(' ')}]`,
  };
  const hasNetwork = view.podIp !== undefined;
  const known = view.unknown ? view.previous : undefined;
  const conditions = known?.conditions ?? [
    ...(isOutside
      ? []
      : [
          condition(view, 'PodReadyToStartContainers', hasNetwork),
          initialized(view, inits, statuses),
          condition(view, 'Ready', allReady, notReady),
          condition(view, 'ContainersReady', allReady, notReady),
        ]),
    condition(view, 'PodScheduled', view.block === undefined, view.block),
  ];
  return {
    // What does not fit is Pending without a word, as people know it; a port that is taken is said at once.
    ...(view.block?.reason === 'HostPortConflict' ? view.block : {}),
    phase: known?.phase ?? phaseOf(initContainers, inits, statuses),
    conditions,
    ...(view.nodeIp ? { hostIP: view.nodeIp, hostIPs: [{ ip: view.nodeIp }] } : {}),
    ...(view.podIp ? { podIP: view.podIp, podIPs: [{ ip: view.podIp }] } : {}),
    startTime: view.createdAt,
    ...(inits.length > 0 ? { initContainerStatuses: inits } : {}),
    containerStatuses: statuses,
    qosClass: qosClass(view.spec),
  };
}

/** kubectl shows what a container waits for before it shows the pod's own reason. */
const withBlock = (container: ContainerView, { block }: PodView): ContainerView =>
  block && container.waiting && container.waiting.message === undefined
    ? { ...container, waiting: block }
    : container;

function endedPodStatus(view: PodView, { phase, reason, message }: PodEnd): PodStatus {
  const why = { reason: phase === 'Failed' ? 'PodFailed' : 'PodCompleted', message };
  return {
    phase,
    reason,
    message,
    conditions: [
      condition(view, 'PodScheduled', true),
      condition(view, 'Ready', false, why),
      condition(view, 'ContainersReady', false, why),
    ],
    ...(view.nodeIp ? { hostIP: view.nodeIp, hostIPs: [{ ip: view.nodeIp }] } : {}),
    startTime: view.createdAt,
    qosClass: qosClass(view.spec),
  };
}

const isSidecarView = (view: ContainerView | undefined): boolean =>
  view !== undefined && isSidecar(view.spec);
const hasBegun = ({ state }: ContainerStatus): boolean => Boolean(state?.running ?? state?.terminated);
const waitsForFirst = ({ state, lastState }: ContainerStatus): boolean =>
  Boolean(state?.waiting) && !lastState?.terminated;

/** Rule 99: Running once every container has begun, however it fares since; Pending while init containers are at work. */
function phaseOf(
  initContainers: readonly ContainerView[],
  inits: readonly ContainerStatus[],
  statuses: readonly ContainerStatus[],
): string {
  const starts = (wanted: boolean, begins: (status: ContainerStatus) => boolean) =>
    inits.some((status, index) => isSidecarView(initContainers[index]) === wanted && begins(status));
  const isRunning = ({ state }: ContainerStatus) => state?.running !== undefined;
  if (starts(false, (status) => isRunning(status) || waitsForFirst(status))) return 'Pending';
  const sidecarsStart = starts(
    true,
    (status) => waitsForFirst(status) || (isRunning(status) && !status.started),
  );
  if (sidecarsStart && !statuses.some(hasBegun)) return 'Pending';
  return statuses.length > 0 && !statuses.some(waitsForFirst) ? 'Running' : 'Pending';
}

/** Once a main container has begun the pod stays initialized, also while a sidecar restarts. */
function initialized(
  view: PodView,
  inits: readonly ContainerStatus[],
  statuses: readonly ContainerStatus[],
): PodCondition {
  const incomplete = inits
    .filter(({ started, ready }, index) => (isSidecarView(view.initContainers?.[index]) ? !started : !ready))
    .map(({ name }) => name);
  return condition(view, 'Initialized', incomplete.length === 0 || statuses.some(hasBegun), {
    reason: 'ContainersNotInitialized',
    message: `containers with incomplete status: [${incomplete.join(' ')}]`,
  });
}

function condition(
  { previous, nowText }: PodView,
  type: string,
  holds: boolean,
  otherwise?: { readonly reason: string; readonly message: string },
): PodCondition {
  const status = holds ? 'True' : 'False';
  const before = previous?.conditions?.find((candidate) => candidate.type === type);
  const lastTransitionTime = before?.status === status ? before.lastTransitionTime : nowText;
  return {
    type,
    status,
    ...(lastTransitionTime ? { lastTransitionTime } : {}),
    ...(holds ? {} : otherwise),
  };
}

export const isPodReady = (status: PodStatus | undefined): boolean =>
  status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false;

/** One that is to end is ready when it has ended well, and is never started. */
function initStatus(view: ContainerView, pod: PodView): ContainerStatus {
  const status = containerStatus(view, pod);
  if (isSidecar(view.spec)) return status;
  return {
    ...status,
    ready: status.state?.terminated?.exitCode === 0,
    started: status.state?.running !== undefined,
  };
}

function containerStatus(view: ContainerView, { unknown, previous }: PodView): ContainerStatus {
  const { spec, current, health } = view;
  const wasReady = unknown === true && isPodReady(previous);
  const running = current?.state === 'running';
  const lastState = lastStateOf(view);
  return {
    name: spec.name,
    state: stateOf(view),
    lastState: lastState ?? {},
    ready: wasReady || (running && (health?.ready ?? false)),
    restartCount: (current ?? view.previous)?.attempt ?? 0,
    image: current?.image ?? spec.image ?? '',
    imageID: current?.imageId ?? '',
    ...(current ? { containerID: containerId(current) } : {}),
    started: wasReady || (running && (health?.started ?? false)),
    ...(spec.lifecycle?.stopSignal ? { stopSignal: spec.lifecycle.stopSignal } : {}),
  };
}

function stateOf({ current, waiting }: ContainerView): ContainerState {
  if (current?.state === 'running')
    return { running: current.startedAt ? { startedAt: current.startedAt } : {} };
  if (waiting) return { waiting };
  if (current?.state === 'exited') return { terminated: terminated(current) };
  return { waiting: { reason: 'ContainerCreating' } };
}

/** The end before this one: of the container that ended and waits, or of the attempt before. */
function lastStateOf({ current, previous, waiting }: ContainerView): ContainerState | undefined {
  if (current?.state === 'exited' && waiting) return { terminated: terminated(current) };
  return previous?.state === 'exited' ? { terminated: terminated(previous) } : undefined;
}

function terminated(container: ShownContainer): NonNullable<ContainerState['terminated']> {
  const { exitCode = 0, error, startFailed, finishedAt, terminationMessage } = container;
  const message = [error, terminationMessage].filter(Boolean).join(': ');
  const startedAt = startFailed ? NEVER : container.startedAt;
  return {
    exitCode,
    reason: reasonOf(container, exitCode),
    ...(message ? { message } : {}),
    ...(startedAt ? { startedAt } : {}),
    ...(finishedAt ? { finishedAt } : {}),
    containerID: containerId(container),
  };
}

/** As Kubernetes says when a container began that never did. */
const NEVER = '1970-01-01T00:00:00Z';

function reasonOf({ oomKilled, startFailed }: ShownContainer, exitCode: number): string {
  if (startFailed) return 'StartError';
  if (oomKilled) return 'OOMKilled';
  return exitCode === 0 ? 'Completed' : 'Error';
}

const containerId = ({ id }: ShownContainer): string => `docker://${id}`;
