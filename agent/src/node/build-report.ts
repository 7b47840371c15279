// What the node says of itself: its facts, its decisions, its pods. Made anew each time from the last look.

import type {
  Maintenance,
  NodeFacts,
  NodeReport,
  Placement,
  PodReport,
} from '@fleetset/proto/gen/fleetset/v1/node';
import { sameJson } from '@fleetset/scheduler-core/canonical-json';
import { tokenRefs } from '@fleetset/scheduler-core/node/account-tokens';
import type { PodChoice } from '@fleetset/scheduler-core/node/choose-pods';
import { allContainers, HOLDER, isInitContainer, isSidecar } from '@fleetset/scheduler-core/node/pod-record';
import {
  type ContainerView,
  isPodReady,
  podStatus,
  type ShownContainer,
} from '@fleetset/scheduler-core/node/pod-status';
import { availableInMs, type MachineTime } from '@fleetset/scheduler-core/node/ready-since';
import { DEFAULT_GRACE_SECONDS } from '@fleetset/scheduler-core/node/stop-grace';
import { type FirstReason, firstReason, waitingReason } from '@fleetset/scheduler-core/node/waiting-reason';
import type { Container } from '@fleetset/scheduler-core/schema/container';
import type { NodeStatus } from '@fleetset/scheduler-core/schema/node';
import type { PodSpec } from '@fleetset/scheduler-core/schema/pod';
import type { Taint } from '@fleetset/scheduler-core/schema/scheduling';
import type { RuntimeContainer } from '../runtime/container-runtime.ts';
import type { BodyFiles } from '../state/body-files.ts';
import type { PodBook, SeenPod } from '../state/pod-book.ts';
import { templateOf } from './desired-state.ts';
import { seenAs } from './ended-containers.ts';
import { memoryShown } from './memory-shown.ts';
import type { NodeAgent } from './node-agent-parts.ts';
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
  const unborn = view.plan.unborn?.get(daemonSetUid);
  const pods = own.map((choice) => {
    const { name, uid } = choice.record;
    const troubles = allContainers(specOf(input, choice, view.containers)).flatMap((container) => {
      const trouble = input.agent.memoryOf(uid, container.name)?.trouble;
      return trouble ? [`${container.name}: ${trouble.reason}: ${trouble.message}`] : [];
    });
    return [`${name}: ${choice.bucket}, ${choice.reason}`, ...troubles].join('; ');
  });
  return [...pods, ...(unborn === undefined ? [] : [unborn])].join('; ');
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
  const viewOf = (container: Container) =>
    view.unseen ? unseenView(input, container) : containerView(input, choice, spec, container, containers);
  const initViews = (spec.initContainers ?? []).map(viewOf);
  const views = spec.containers.map(viewOf);
  const block = view.plan.blocked.get(record.uid);
  const isHidden = bucket === 'prepare' && !block && tokenRefs(spec).length === 0;
  if (isHidden && isQuiet([...initViews, ...views])) return undefined;
  const podIp = spec.hostNetwork ? input.nodeIp : newestHolder(containers, record.uid)?.ip;
  const { seen: before, end } = input.pods.get(record.uid) ?? {};
  const minReadyMs = view.desired.minReadyMs.get(record.daemonSetUid) ?? 0;
  const { healthOf, isKnown } = input.agent;
  const health = podHealth({ ...input, healthOf, isKnown }, record, containers, minReadyMs);
  const unknown = !end && (view.unseen === true || !health.known);
  const status = podStatus({
    spec,
    initContainers: initViews,
    containers: views,
    createdAt: record.createdAt,
    ...(input.nodeIp ? { nodeIp: input.nodeIp } : {}),
    ...(podIp ? { podIp } : {}),
    ...(before ? { previous: { ...before } } : {}),
    ...(end ? { end } : {}),
    unknown,
    ...(block ? { block } : {}),
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
        ? (view.desired.tombstones.get(record.uid) ??
          spec.terminationGracePeriodSeconds ??
          DEFAULT_GRACE_SECONDS)
        : 0,
    statusJson: JSON.stringify(status),
    createdAt: record.createdAt,
    accountVolume: record.accountVolume ?? '',
    pullSecrets: [...(record.pullSecrets ?? [])],
  };
}

const FIRST_REASONS: readonly string[] = ['ContainerCreating', 'PodInitializing'] satisfies FirstReason[];

/** A pod that only waits beside the one it replaces is no news, as long as nothing is wrong with it, and it needs no
 *  token: the plane gives one only to a pod that it has heard of. */
function isQuiet(views: readonly ContainerView[]): boolean {
  return views.every(
    ({ current, waiting }) =>
      current?.state !== 'running' &&
      (waiting === undefined || (FIRST_REASONS.includes(waiting.reason) && waiting.message === undefined)),
  );
}

/** Without the template there are at least the containers' names. */
function specOf(
  { bodies }: ReportInput,
  { record }: PodChoice,
  containers: readonly RuntimeContainer[],
): PodSpec {
  const template = templateOf(bodies, record);
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
  podSpec: PodSpec,
  spec: Container,
  containers: readonly RuntimeContainer[],
): ContainerView {
  const attempts = containers
    .filter(({ identity }) => identity.name === spec.name)
    .sort((a, b) => b.identity.attempt - a.identity.attempt);
  // A next attempt that is only created is not yet the one people see.
  const [last, second] = attempts;
  const notYet = last?.state === 'created' && second?.state === 'exited';
  const newest = notYet ? second : last;
  const before = notYet ? attempts[2] : second;
  const first = firstReason(podSpec);
  const toEnd = isInitContainer(podSpec, spec.name) && !isSidecar(spec);
  // What ran before the pod's holder was lost has yet to run on the new one; what its hook is about has yet to begin.
  const isPast = toEnd && newest?.state === 'exited' && isOfAnOlderHolder(newest, containers);
  if (newest && (isPast || agent.inHook(newest.id))) {
    const past = isPast ? newest : before;
    return { spec, ...(past ? { previous: shown(past, agent) } : {}), waiting: { reason: first } };
  }
  const completed = toEnd && newest?.state === 'exited' && newest.exitCode === 0;
  const waiting = completed
    ? undefined
    : waitingReason(
        record,
        spec.name,
        spec.image ?? '',
        newest && seenAs(newest, agent.endedAt(newest.id)),
        memoryShown(agent, {
          podUid: record.uid,
          spec: podSpec,
          name: spec.name,
          newest,
          containers,
          now: monotonicNow,
        }),
        monotonicNow,
        first,
      );
  const health = newest?.state === 'running' ? (agent.healthOf(newest.id) ?? RUNNING) : undefined;
  return {
    spec,
    ...(newest ? { current: shown(newest, agent) } : {}),
    ...(before ? { previous: shown(before, agent) } : {}),
    ...(health ? { health } : {}),
    ...(waiting ? { waiting } : {}),
  };
}

function isOfAnOlderHolder({ identity }: RuntimeContainer, containers: readonly RuntimeContainer[]): boolean {
  const holder = containers
    .filter((one) => one.identity.name === HOLDER)
    .sort((a, b) => b.identity.attempt - a.identity.attempt)[0];
  return (
    holder !== undefined && (holder.state === 'exited' || holder.identity.attempt !== identity.holderAttempt)
  );
}

/** Until the prober has looked: started, and not yet ready. */
const RUNNING = { started: false, ready: false } as const;

function shown(container: RuntimeContainer, agent: NodeAgent): ShownContainer {
  const { id, identity, state, image, imageId, startedAt, finishedAt, exitCode } = container;
  const { oomKilled, error, startFailed } = container;
  const said = agent.lastWordsOf(id);
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
    ...(startFailed ? { startFailed } : {}),
    ...(said === undefined ? {} : { terminationMessage: said }),
  };
}
