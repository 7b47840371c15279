// A pod's status as Kubernetes shows it, from what the node sees of its containers (rules 92, 93, 99).
import type { ContainerHealth } from '../probe-state.ts';
import type { Container } from '../schema/container.ts';
import type { ContainerState, ContainerStatus, PodCondition, PodSpec, PodStatus } from '../schema/pod.ts';
import type { PodEnd } from './finished-pods.ts';
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
  /** RFC 3339; for the transition time of conditions that change. */
  readonly nowText: string;
}

export function podStatus(view: PodView): PodStatus {
  if (view.end) return endedPodStatus(view, view.end);
  const statuses = view.containers.map((container) => containerStatus(container, view));
  const unready = statuses.filter(({ ready }) => !ready).map(({ name }) => name);
  const started = statuses.every(({ state, lastState }) => !state?.waiting || lastState?.terminated);
  const allReady = unready.length === 0 && statuses.length > 0;
  const notReady = {
    reason: 'ContainersNotReady',
    message: `containers with unready status: [${unready.join(' ')}]`,
  };
  const hasNetwork = view.podIp !== undefined;
  const known = view.unknown ? view.previous : undefined;
  const conditions = known?.conditions ?? [
    condition(view, 'PodReadyToStartContainers', hasNetwork),
    condition(view, 'Initialized', true),
    condition(view, 'Ready', allReady, notReady),
    condition(view, 'ContainersReady', allReady, notReady),
    condition(view, 'PodScheduled', true),
  ];
  return {
    // Rule 99: Running once every container has begun, however it fares since.
    phase: known?.phase ?? (started && statuses.length > 0 ? 'Running' : 'Pending'),
    conditions,
    ...(view.nodeIp ? { hostIP: view.nodeIp, hostIPs: [{ ip: view.nodeIp }] } : {}),
    ...(view.podIp ? { podIP: view.podIp, podIPs: [{ ip: view.podIp }] } : {}),
    startTime: view.createdAt,
    containerStatuses: statuses,
    qosClass: qosClass(view.spec),
  };
}

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
    restartCount: current?.attempt ?? 0,
    image: current?.image ?? spec.image ?? '',
    imageID: current?.imageId ?? '',
    ...(current ? { containerID: containerId(current) } : {}),
    started: wasReady || (running && (health?.started ?? false)),
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
  const { exitCode = 0, oomKilled, error, startedAt, finishedAt } = container;
  const reason = oomKilled ? 'OOMKilled' : exitCode === 0 ? 'Completed' : 'Error';
  return {
    exitCode,
    reason,
    ...(error ? { message: error } : {}),
    ...(startedAt ? { startedAt } : {}),
    ...(finishedAt ? { finishedAt } : {}),
    containerID: containerId(container),
  };
}

const containerId = ({ id }: ShownContainer): string => `docker://${id}`;
