// What an agent does next: what it was told, what the engine shows and what it remembers of failures become
// the actions that are possible now, each with its reason. Everything else waits, and says for what.
import { decidePlacement, type Placement, type PlacementNode } from '../placement.ts';
import { choosePods, type PodChoice, type PodProgress } from './choose-pods.ts';
import { hostPorts } from './host-ports.ts';
import type { ContainerMemory, NodeAction } from './node-action.ts';
import { type PlanContext, planContainers } from './plan-containers.ts';
import {
  containerKey,
  containerNames,
  type NodeDaemonSet,
  type PlannedPod,
  type SeenContainer,
} from './pod-record.ts';

export interface NodeInput {
  readonly now: number;
  readonly node: PlacementNode;
  readonly daemonSets: readonly NodeDaemonSet[];
  /** Pods that somebody deleted, with the grace they asked for. */
  readonly tombstones: ReadonlyMap<string, number | undefined>;
  readonly pods: readonly PlannedPod[];
  readonly containers: readonly SeenContainer[];
  /** What is being done, by actionKey: nothing else is planned for these. What was under way when the engine was
   *  looked at counts as well: its effect may be missing from `containers`. */
  readonly busy: ReadonlyMap<string, NodeAction['kind']>;
  readonly memory: ReadonlyMap<string, ContainerMemory>;
  /** Containers whose probes say that they must be restarted, by id, with why. */
  readonly unhealthy: ReadonlyMap<string, string>;
  /** Why what runs here is not to be replaced now. */
  readonly held?: string;
}

export interface NodePlan {
  readonly actions: readonly NodeAction[];
  readonly placements: readonly { readonly daemonSet: NodeDaemonSet; readonly placement: Placement }[];
  /** Every pod, in exactly one bucket. */
  readonly pods: readonly PodChoice[];
  /** When something that waits now becomes possible; milliseconds of the same clock. */
  readonly nextAt?: number;
}

export function planNode(input: NodeInput): NodePlan {
  const surging = new Set(input.daemonSets.filter(({ surge }) => surge).map(({ uid }) => uid));
  const progress = new Map(
    input.pods.map((pod) => {
      const ports = surging.has(pod.record.daemonSetUid) && pod.template && hostPorts(pod.template);
      return [pod.record.uid, { ...podProgress(pod, input), ...(ports ? { hostPorts: ports } : {}) }];
    }),
  );
  const progressOf = (uid: string): PodProgress =>
    progress.get(uid) ?? { started: false, running: false, prepared: false, available: false };
  const ended = new Map([
    ...input.pods
      .filter(({ ending }) => ending)
      .map(({ record }) => [record.uid, 'it is being stopped'] as const),
    ...[...input.tombstones.keys()].map((uid) => [uid, 'it was deleted'] as const),
  ]);
  const placements = input.daemonSets.map((daemonSet) => ({
    daemonSet,
    placement: decidePlacement(daemonSet.rules, input.node),
  }));
  const actions: NodeAction[] = [];
  const choices: PodChoice[] = [];
  for (const { daemonSet, placement } of placements) {
    const records = recordsOf(input, (uid) => uid === daemonSet.uid);
    const choice = choosePods(daemonSet, placement.decision, records, progressOf, ended, input.held);
    choices.push(...choice.pods);
    if (choice.bear && !input.busy.has(daemonSet.uid))
      actions.push({ kind: 'bear', daemonSetUid: daemonSet.uid, reason: choice.bear });
  }
  const known = new Set(input.daemonSets.map(({ uid }) => uid));
  choices.push(
    ...choosePods(
      undefined,
      'Leave',
      recordsOf(input, (uid) => !known.has(uid)),
      progressOf,
      ended,
    ).pods,
  );
  const steps = planAllContainers(input, choices);
  const nextAt = earliest([...steps.waits, ...changeovers(input, surging)]);
  return {
    actions: [...actions, ...steps.actions],
    placements,
    pods: choices,
    ...(nextAt === undefined ? {} : { nextAt }),
  };
}

/** When a new pod becomes available beside an old one by the mere passing of time. */
function changeovers({ pods, now }: NodeInput, surging: ReadonlySet<string>): number[] {
  return pods
    .filter(({ record }) => surging.has(record.daemonSetUid))
    .map(({ health }) => health?.availableAt ?? now)
    .filter((at) => at > now);
}

function planAllContainers(input: NodeInput, choices: readonly PodChoice[]) {
  const context: PlanContext = { ...input, pods: new Map(input.pods.map((pod) => [pod.record.uid, pod])) };
  const actions: NodeAction[] = [];
  const waits: number[] = [];
  for (const choice of choices) {
    const steps = planContainers(choice, context);
    actions.push(...steps.actions);
    waits.push(...steps.waits);
  }
  return { actions, waits };
}

const recordsOf = (input: NodeInput, belongs: (daemonSetUid: string) => boolean) =>
  input.pods.map(({ record }) => record).filter(({ daemonSetUid }) => belongs(daemonSetUid));

function podProgress({ record, template, health }: PlannedPod, input: NodeInput): PodProgress {
  const seen = input.containers.filter(({ podUid }) => podUid === record.uid);
  const names = template ? containerNames(template) : [];
  const busyWith = (name: string) => input.busy.get(containerKey(record.uid, name));
  return {
    started: seen.some(({ state }) => state !== 'created'),
    running:
      seen.some(({ state }) => state === 'running') || names.some((name) => busyWith(name) === 'start'),
    prepared:
      template !== undefined &&
      names.every((name) => seen.some((container) => container.name === name) && busyWith(name) !== 'create'),
    ...(health ? { ready: health.ready } : {}),
    available: health?.availableAt !== undefined && health.availableAt <= input.now,
  };
}

const earliest = (instants: readonly number[]): number | undefined =>
  instants.length === 0 ? undefined : Math.min(...instants);
