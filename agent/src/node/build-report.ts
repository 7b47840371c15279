// What the node says of itself: its facts, its decisions, its pods. Made anew each time from the last look.

import type {
  Maintenance,
  NodeFacts,
  NodeReport,
  Placement,
  PodReport,
} from '@fleetset/proto/gen/fleetset/v1/node';
import { sameJson } from '@fleetset/scheduler-core/canonical-json';
import type { PodChoice } from '@fleetset/scheduler-core/node/choose-pods';
import { HOLDER } from '@fleetset/scheduler-core/node/pod-record';
import {
  type ContainerView,
  isPodReady,
  podStatus,
  type ShownContainer,
} from '@fleetset/scheduler-core/node/pod-status';
import { availableInMs, type MachineTime } from '@fleetset/scheduler-core/node/ready-since';
import { waitingReason } from '@fleetset/scheduler-core/node/waiting-reason';
import type { Container } from '@fleetset/scheduler-core/schema/container';
import type { NodeStatus } from '@fleetset/scheduler-core/schema/node';
import type { PodSpec } from '@fleetset/scheduler-core/schema/pod';
import type { Taint } from '@fleetset/scheduler-core/schema/scheduling';
import type { RuntimeContainer } from '../runtime/container-runtime.ts';
import type { BodyFiles } from '../state/body-files.ts';
import type { PodBook, SeenPod } from '../state/pod-book.ts';
import { templateOf } from './desired-state.ts';
import type { NodeAgent } from './node-agent.ts';
import { type NodeView, newestHolder } from './node-view.ts';
import { podHealth } from './pod-health.ts';

export interface ReportInput {
  readonly agent: NodeAgent;
  readonly pods: PodBook;
  readonly bodies: BodyFiles;
  readonly labels: { readonly [key: string]: string };
  readonly taints: readonly Taint[];
  readonly status: NodeStatus;
  readonly holds: NodeFacts['holds'];
  readonly maintenance: Maintenance;
  readonly nodeIp: string | undefined;
  readonly monotonicNow: number;
  readonly machineTime: MachineTime;
  readonly nowText: string;
}

export interface BuiltReport {
  readonly report: NodeReport;
  /** When a pod becomes available by the mere passing of time. */
  readonly againInMs?: number;
}

export function buildReport(input: ReportInput): BuiltReport {
  const view = input.agent.view();
  const waits: number[] = [];
  const pods = view.plan.pods.flatMap((choice) => {
    const built = buildPod(input, view, choice, waits);
    return built ? [built] : [];
  });
  const report: NodeReport = {
    generation: view.generation,
    facts: {
      labels: { ...input.labels },
      taints: input.taints.map(({ key, value = '', effect }) => ({ key, value, effect })),
      statusJson: JSON.stringify(input.status),
      holds: input.holds,
      maintenance: input.maintenance,
    },
    placements: view.plan.placements.map(
      ({ daemonSet, placement }): Placement => ({
        daemonSetUid: daemonSet.uid,
        decision: placement.decision,
        reasons: placement.reasons.map(({ code, message }) => ({ code, message })),
        progress: progressOf(input, view, daemonSet.uid),
      }),
    ),
    pods: pods.sort((a, b) => (a.uid < b.uid ? -1 : 1)),
    events: [],
  };
  return { report, ...(waits.length > 0 ? { againInMs: Math.min(...waits) } : {}) };
}

/** What happens to the DaemonSet's pods here, and what keeps their containers from running. */
function progressOf(input: ReportInput, view: NodeView, daemonSetUid: string): string {
  const own = view.plan.pods.filter(({ record }) => record.daemonSetUid === daemonSetUid);
  return own
    .map((choice) => {
      const { name, uid } = choice.record;
      const troubles = specOf(input, choice, view.containers).containers.flatMap((container) => {
        const trouble = input.agent.memoryOf(uid, container.name)?.trouble;
        return trouble ? [`${container.name}: ${trouble.reason}: ${trouble.message}`] : [];
      });
      return [`${name}: ${choice.bucket}, ${choice.reason}`, ...troubles].join('; ');
    })
    .join('; ');
}

function buildPod(
  input: ReportInput,
  view: NodeView,
  choice: PodChoice,
  waits: number[],
): PodReport | undefined {
  const { record, bucket } = choice;
  const containers = view.containers.filter(({ identity }) => identity.pod.uid === record.uid);
  const spec = specOf(input, choice, containers);
  const views = spec.containers.map((container) =>
    view.unseen ? unseenView(input, container) : containerView(input, choice, container, containers),
  );
  if (bucket === 'prepare' && isQuiet(views)) return undefined;
  const podIp = spec.hostNetwork ? input.nodeIp : newestHolder(containers, record.uid)?.ip;
  const { seen: before, end } = input.pods.get(record.uid) ?? {};
  const minReadyMs = view.desired.minReadyMs.get(record.daemonSetUid) ?? 0;
  const { healthOf, isKnown } = input.agent;
  const health = podHealth({ ...input, healthOf, isKnown }, record, containers, minReadyMs);
  const unknown = !end && (view.unseen === true || !health.known);
  const status = podStatus({
    spec,
    containers: views,
    createdAt: record.createdAt,
    ...(input.nodeIp ? { nodeIp: input.nodeIp } : {}),
    ...(podIp ? { podIp } : {}),
    ...(before ? { previous: { ...before } } : {}),
    ...(end ? { end } : {}),
    unknown,
    nowText: input.nowText,
  });
  const ready = isPodReady(status);
  const mark = unknown ? before?.ready : health.mark;
  const { phase, conditions = [] } = status;
  const seen: SeenPod = { ...(phase ? { phase } : {}), conditions, ...(mark ? { ready: mark } : {}) };
  if (!unknown && !sameJson(before, seen)) input.pods.setSeen(record.uid, seen);
  const leftMs = availableInMs(mark, minReadyMs, input.machineTime);
  if (leftMs !== undefined && leftMs > 0) waits.push(leftMs + 1);
  const terminating = bucket === 'stop' || input.pods.get(record.uid)?.ending === true;
  return {
    uid: record.uid,
    namespace: record.namespace,
    name: record.name,
    daemonSetUid: record.daemonSetUid,
    daemonSetName: record.daemonSetName,
    revision: record.revision,
    ready,
    available: ready && leftMs === 0,
    unknown,
    terminating,
    // Rule 66: one that has ended needs none.
    graceSeconds:
      terminating && !end
        ? (view.desired.tombstones.get(record.uid) ?? spec.terminationGracePeriodSeconds ?? 30)
        : 0,
    statusJson: JSON.stringify(status),
    createdAt: record.createdAt,
  };
}

/** A pod that only waits beside the one it replaces is no news, as long as nothing is wrong with it. */
function isQuiet(views: readonly ContainerView[]): boolean {
  return views.every(
    ({ current, waiting }) =>
      current?.state !== 'running' &&
      (waiting === undefined || (waiting.reason === 'ContainerCreating' && waiting.message === undefined)),
  );
}

/** Without the template there are at least the containers' names. */
function specOf(
  { bodies }: ReportInput,
  { record }: PodChoice,
  containers: readonly RuntimeContainer[],
): PodSpec {
  const template = templateOf(bodies, record.templateHash);
  if (template?.spec) return template.spec;
  const names = new Set(containers.map(({ identity }) => identity.name).filter((name) => name !== HOLDER));
  return { containers: [...names].map((name) => ({ name })) };
}

/** Before the first look: nothing is claimed, and what was known stays known. */
const unseenView = ({ agent }: ReportInput, spec: Container): ContainerView => ({
  spec,
  waiting: {
    reason: 'ContainerStatusUnknown',
    message: agent.engineTrouble() ?? 'the containers have not been looked at yet',
  },
});

function containerView(
  { agent, monotonicNow }: ReportInput,
  { record }: PodChoice,
  spec: Container,
  containers: readonly RuntimeContainer[],
): ContainerView {
  const attempts = containers
    .filter(({ identity }) => identity.name === spec.name)
    .sort((a, b) => b.identity.attempt - a.identity.attempt);
  // A next attempt that is only created is not yet the one people see.
  const [first, second] = attempts;
  const notYet = first?.state === 'created' && second?.state === 'exited';
  const current = notYet ? second : first;
  const previous = notYet ? attempts[2] : second;
  const endedAt = current && agent.endedAt(current.id);
  const waiting = waitingReason(
    record,
    spec.name,
    spec.image ?? '',
    current && {
      id: current.id,
      podUid: record.uid,
      name: spec.name,
      attempt: current.identity.attempt,
      state: current.state,
      ...(endedAt === undefined ? {} : { endedAt }),
    },
    agent.memoryOf(record.uid, spec.name),
    monotonicNow,
  );
  const health = current?.state === 'running' ? (agent.healthOf(current.id) ?? RUNNING) : undefined;
  return {
    spec,
    ...(current ? { current: shown(current) } : {}),
    ...(previous ? { previous: shown(previous) } : {}),
    ...(health ? { health } : {}),
    ...(waiting ? { waiting } : {}),
  };
}

/** Until the prober has looked: started, and not yet ready. */
const RUNNING = { started: false, ready: false } as const;

function shown(container: RuntimeContainer): ShownContainer {
  const { id, identity, state, image, imageId, startedAt, finishedAt, exitCode, oomKilled, error } =
    container;
  return {
    id,
    attempt: identity.attempt,
    state,
    image,
    imageId,
    ...(startedAt ? { startedAt } : {}),
    ...(finishedAt ? { finishedAt } : {}),
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(oomKilled ? { oomKilled } : {}),
    ...(error ? { error } : {}),
  };
}
