// What an agent does next: what it was told, what the engine shows and what it remembers of failures become
// the actions that are possible now, each with its reason. Everything else waits, and says for what.

import { earliest } from '../earliest.ts';
import { decidePlacement, type Placement, type PlacementNode } from '../placement.ts';
import { daemonTolerations, formatTaint, untolerated } from '../taint-toleration.ts';
import { type AdmittingMachine, admitPod } from './admit-pod.ts';
import { type Block, blockedPods, type TakenPort } from './blocked-pods.ts';
import { choosePods, type PodChoice, type PodProgress } from './choose-pods.ts';
import { type FailedPodBackOff, judgeFinished, type PodEnd } from './finished-pods.ts';
import { hostPorts } from './host-ports.ts';
import type { ContainerMemory, NodeAction } from './node-action.ts';
import { planContainers } from './plan-containers.ts';
import {
  containerKey,
  containerNames,
  type NodeDaemonSet,
  type PlannedPod,
  type SeenContainer,
} from './pod-record.ts';
import type { NodeRoom } from './pod-requests.ts';
import type { PlanContext } from './pod-steps.ts';

export interface NodeInput {
  readonly now: number;
  readonly node: PlacementNode;
  readonly daemonSets: readonly NodeDaemonSet[];
  /** Pods that somebody deleted, with the grace they asked for. */
  readonly tombstones: ReadonlyMap<string, number | undefined>;
  /** DaemonSets that were deleted without their pods. */
  readonly orphans?: ReadonlySet<string>;
  /** Absent: it takes every pod. */
  readonly machine?: AdmittingMachine;
  /** By DaemonSet: what is remembered of its pods that failed here. */
  readonly failedPods?: ReadonlyMap<string, FailedPodBackOff>;
  readonly pods: readonly PlannedPod[];
  readonly containers: readonly SeenContainer[];
  /** What is being done, by actionKey: nothing else is planned for these. What was under way when the engine was
   *  looked at counts as well: its effect may be missing from `containers`. */
  readonly busy: ReadonlyMap<string, NodeAction['kind']>;
  readonly memory: ReadonlyMap<string, ContainerMemory>;
  /** Why what runs here is not to be replaced now. */
  readonly held?: string;
  /** Containers that must be restarted, by id, with the probe that says so. */
  readonly unhealthy: ReadonlyMap<string, 'startup' | 'liveness'>;
  /** What pods may have of the node; absent: as much as they ask. */
  readonly room?: NodeRoom;
  /** Ports on which something of the machine listens, pods included. */
  readonly taken?: readonly TakenPort[];
}

export interface NodePlan {
  readonly actions: readonly NodeAction[];
  readonly placements: readonly { readonly daemonSet: NodeDaemonSet; readonly placement: Placement }[];
  /** Every pod, in exactly one bucket. */
  readonly pods: readonly PodChoice[];
  /** When something that waits now becomes possible; milliseconds of the same clock. */
  readonly nextAt?: number;
  /** Pods that may not start now, with why. */
  readonly blocked: ReadonlyMap<string, Block>;
  /** Containers that may start as soon as they are made, by containerKey: no look need come between. */
  readonly startable?: ReadonlySet<string>;
  /** DaemonSets of which a pod is wanted that cannot be made, with why. */
  readonly unborn?: ReadonlyMap<string, string>;
}

/** What holds a pod may go without any event: a process of the machine ends. */
const BLOCKED_AGAIN_MS = 2000;

export function planNode(input: NodeInput): NodePlan {
  const surging = new Set(input.daemonSets.filter(({ surge }) => surge).map(({ uid }) => uid));
  const progress = new Map(
    input.pods.map((pod) => {
      const ports = surging.has(pod.record.daemonSetUid) && pod.template && hostPorts(pod.template);
      return [pod.record.uid, { ...podProgress(pod, input), ...(ports ? { hostPorts: ports } : {}) }];
    }),
  );
  const blocked = blockedPods({
    // What has failed or succeeded asks for nothing.
    pods: input.pods
      .filter(({ end }) => !end)
      .map((pod) => ({
        ...pod,
        started: isLetIn(progress.get(pod.record.uid)),
        stays: surging.has(pod.record.daemonSetUid),
      })),
    room: input.room ?? ENDLESS,
    taken: input.taken ?? [],
  });
  for (const uid of blocked.keys()) {
    const known = progress.get(uid);
    if (known) progress.set(uid, { ...known, prepared: false });
  }
  const progressOf = (uid: string): PodProgress =>
    progress.get(uid) ?? { started: false, running: false, prepared: false, available: false };
  const ended = new Map([
    ...input.pods
      .filter(({ ending }) => ending)
      .map(({ record }) => [record.uid, 'it is being stopped'] as const),
    ...[...input.tombstones.keys()].map((uid) => [uid, 'it was deleted'] as const),
    ...evictedOrphans(input),
  ]);
  const placements = input.daemonSets.map((daemonSet) => ({
    daemonSet,
    placement: decidePlacement(daemonSet.rules, input.node),
  }));
  const actions: NodeAction[] = [];
  const choices: PodChoice[] = [];
  const waits: number[] = [];
  const unborn = new Map<string, string>();
  for (const { daemonSet, placement } of placements) {
    const over = placement.decision === 'Leave' ? [] : finishedPods(input, daemonSet.uid, ended);
    const records = recordsOf(input, (uid) => uid === daemonSet.uid, over);
    const choice = choosePods(daemonSet, placement.decision, records, progressOf, ended, input.held);
    choices.push(...choice.pods, ...over.map(isOver));
    const discards = over.map((pod) => discardOrWait(pod, daemonSet, input));
    actions.push(...discards.flatMap((one) => (typeof one === 'number' ? [] : one)));
    waits.push(...discards.filter((one) => typeof one === 'number'));
    // Until it is deleted the pod that ended is the node's pod.
    if (!choice.bear || over.length > 0) continue;
    const refusal = refusedBirth(daemonSet);
    if (refusal !== undefined) unborn.set(daemonSet.uid, refusal);
    else if (!input.busy.has(daemonSet.uid))
      actions.push({ kind: 'bear', daemonSetUid: daemonSet.uid, reason: choice.bear });
  }
  for (const uid of input.orphans ?? []) {
    const over = finishedPods(input, uid, ended);
    const records = recordsOf(input, (owner) => owner === uid, over);
    choices.push(...choosePods(ORPHANED, 'Keep', records, progressOf, ended).pods, ...over.map(isOver));
  }
  const known = new Set([...input.daemonSets.map(({ uid }) => uid), ...(input.orphans ?? [])]);
  choices.push(
    ...choosePods(
      undefined,
      'Leave',
      recordsOf(input, (uid) => !known.has(uid)),
      progressOf,
      ended,
    ).pods,
  );
  const pods = choices.map((choice) => keepBack(choice, blocked.get(choice.record.uid)));
  // What does not fit is not even prepared: its images would take room, too.
  const steps = planAllContainers(
    input,
    pods.filter(
      ({ record, bucket }) => bucket === 'stop' || blocked.get(record.uid)?.reason !== 'Unschedulable',
    ),
  );
  const again = blocked.size > 0 ? [input.now + BLOCKED_AGAIN_MS] : [];
  const nextAt = earliest(...waits, ...steps.waits, ...changeovers(input, surging), ...again);
  return {
    actions: [...actions, ...steps.actions],
    placements,
    pods,
    blocked,
    startable: steps.startable,
    ...(unborn.size > 0 ? { unborn } : {}),
    ...(nextAt === undefined ? {} : { nextAt }),
  };
}

/** Kubernetes' words. */
function refusedBirth({ namespace, name, granted }: NodeDaemonSet): string | undefined {
  const { account } = granted ?? {};
  return account?.missing
    ? `Error creating: pods "${name}-" is forbidden: error looking up service account ${namespace}/${account.name}: serviceaccount "${account.name}" not found`
    : undefined;
}

const isLetIn = (progress: PodProgress | undefined): boolean =>
  progress !== undefined && (progress.started || progress.running);

const ENDLESS: NodeRoom = {
  cpuMilli: Number.POSITIVE_INFINITY,
  memoryBytes: Number.POSITIVE_INFINITY,
  pods: Number.POSITIVE_INFINITY,
};

const keepBack = (choice: PodChoice, block: Block | undefined): PodChoice =>
  block && (choice.bucket === 'run' || choice.bucket === 'prepare')
    ? { ...choice, bucket: 'prepare', reason: block.message }
    : choice;

/** When a new pod becomes available beside an old one by the mere passing of time. */
function changeovers({ pods, now }: NodeInput, surging: ReadonlySet<string>): number[] {
  return pods
    .filter(({ record }) => surging.has(record.daemonSetUid))
    .map(({ health }) => health?.availableAt ?? now)
    .filter((at) => at > now);
}

/** Rule 63: the pods of a DaemonSet that was deleted without them stay, and no new one is made. Of two of a surge the
 *  one that serves. */
const ORPHANED: NodeDaemonSet = { uid: '', namespace: '', name: '', rules: {}, surge: true };

/** Labels that change do not move them, as no controller looks; a NoExecute taint drives out any pod. */
function evictedOrphans({ orphans, pods, node }: NodeInput): (readonly [string, string])[] {
  return pods.flatMap(({ record, template }) => {
    if (!template?.spec || !orphans?.has(record.daemonSetUid)) return [];
    const { tolerations, hostNetwork } = template.spec;
    const tolerated = daemonTolerations(tolerations, hostNetwork ?? false);
    const [taint] = untolerated(node.taints, tolerated, 'NoExecute');
    return taint ? [[record.uid, `taint ${formatTaint(taint)} is not tolerated`] as const] : [];
  });
}

function planAllContainers(input: NodeInput, choices: readonly PodChoice[]) {
  const context: PlanContext = { ...input, pods: new Map(input.pods.map((pod) => [pod.record.uid, pod])) };
  const actions: NodeAction[] = [];
  const waits: number[] = [];
  const startable = new Set<string>();
  for (const choice of choices) {
    if (choice.bucket === 'over') continue;
    const rejection = rejectionOf(choice, input);
    if (rejection) {
      actions.push(...rejection);
      continue;
    }
    const steps = planContainers(choice, context);
    actions.push(...steps.actions);
    waits.push(...steps.waits);
    for (const key of steps.startable) startable.add(key);
  }
  return { actions, waits, startable };
}

const recordsOf = (
  input: NodeInput,
  belongs: (daemonSetUid: string) => boolean,
  without: readonly FinishedPod[] = [],
) =>
  input.pods
    .map(({ record }) => record)
    .filter(
      ({ uid, daemonSetUid }) => belongs(daemonSetUid) && !without.some((one) => one.record.uid === uid),
    );

type FinishedPod = PlannedPod & { readonly end: PodEnd };

/** Those whose end is announced already are as good as gone (rule 19). */
const finishedPods = (
  { pods }: NodeInput,
  daemonSetUid: string,
  ended: ReadonlyMap<string, string>,
): FinishedPod[] =>
  pods.filter(
    (pod): pod is FinishedPod =>
      pod.end !== undefined && pod.record.daemonSetUid === daemonSetUid && !ended.has(pod.record.uid),
  );

const isOver = ({ record, end }: FinishedPod): PodChoice => ({
  record,
  bucket: 'over',
  reason: `it has ${end.phase.toLowerCase()}${end.reason ? ` (${end.reason})` : ''}`,
});

/** Rules 20 and 21: its deletion, or when it may be deleted. A new revision starts over. */
function discardOrWait(
  { record, end }: FinishedPod,
  { uid, granted }: NodeDaemonSet,
  { now, failedPods, busy }: NodeInput,
): NodeAction[] | number {
  if (busy.has(record.uid)) return [];
  const generation = granted ? `${granted.revision}/${granted.templateHash}` : '';
  const verdict = judgeFinished(end, failedPods?.get(uid), generation, now);
  if (!verdict.discard) return verdict.until;
  const { backOff } = verdict;
  const reason = `it has ${end.phase.toLowerCase()}, another is to be made`;
  return [
    {
      kind: 'discard',
      podUid: record.uid,
      daemonSetUid: uid,
      end,
      ...(backOff ? { backOff } : {}),
      reason,
    },
  ];
}

/** Of a pod that nothing was made for yet: that the node does not take it. Undefined when it does. */
function rejectionOf({ record, bucket }: PodChoice, input: NodeInput): NodeAction[] | undefined {
  const spec = input.pods.find((pod) => pod.record.uid === record.uid)?.template?.spec;
  if (bucket === 'stop' || !spec || !input.machine) return undefined;
  const begun =
    input.containers.some(({ podUid }) => podUid === record.uid) ||
    containerNames({ spec }).some((name) => input.busy.has(containerKey(record.uid, name)));
  const rejection = begun ? undefined : admitPod(spec, input.machine);
  if (!rejection) return undefined;
  const end = { phase: 'Failed', ...rejection } as const;
  return input.busy.has(record.uid)
    ? []
    : [{ kind: 'reject', podUid: record.uid, end, reason: rejection.message }];
}

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
      names.every(
        (name) =>
          busyWith(name) !== 'create' &&
          (seen.some((container) => container.name === name) ||
            input.memory.get(containerKey(record.uid, name))?.checked === true),
      ),
    ...(health ? { ready: health.ready } : {}),
    available: health?.availableAt !== undefined && health.availableAt <= input.now,
  };
}
