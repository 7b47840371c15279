// A Node object from its parts: what the node says of itself, what operators added, what the plane knows of it.
import type { NodeCondition, NodeStatus } from '@fleetset/scheduler-core/schema/node';
import type { Taint } from '@fleetset/scheduler-core/schema/scheduling';
import { NOT_READY, sameTaint, UNREACHABLE, UNSCHEDULABLE } from '@fleetset/scheduler-core/taint-toleration';
import type { NodeRecord } from './node-record.ts';

type Labels = { readonly [key: string]: string };
type Own = Pick<NodeRecord, 'ownLabels' | 'ownTaints'>;

/** Taints that the plane sets by itself: never sent to the node, which must not leave on the plane's account. */
const LIFECYCLE = new Set([NOT_READY, UNREACHABLE, UNSCHEDULABLE]);

export const withoutLifecycle = (taints: readonly Taint[]): Taint[] =>
  taints.filter(({ key }) => !LIFECYCLE.has(key));

export const operatorLabels = (labels: Labels, own: Own): Labels =>
  Object.fromEntries(Object.entries(labels).filter(([key]) => !Object.hasOwn(own.ownLabels, key)));

export const operatorTaints = (taints: readonly Taint[], own: Own): Taint[] =>
  withoutLifecycle(taints).filter((taint) => !own.ownTaints.some((other) => sameTaint(taint, other)));

/** After the node's own configuration changed: its keys win, operators' other keys stay. */
export function withOwn(
  labels: Labels,
  taints: readonly Taint[],
  before: Own,
  now: Own,
): { readonly labels: Labels; readonly taints: readonly Taint[] } {
  const lifecycle = taints.filter(({ key }) => LIFECYCLE.has(key));
  const operators = operatorTaints(taints, before).filter(
    (taint) => !now.ownTaints.some((own) => own.key === taint.key && own.effect === taint.effect),
  );
  return {
    labels: { ...operatorLabels(labels, before), ...now.ownLabels },
    taints: [...now.ownTaints, ...operators, ...lifecycle],
  };
}

export type Liveness = 'ready' | 'not-ready' | 'unknown';

/** Kubernetes' taints for a node that is not ready or does not answer. */
export function lifecycleTaints(
  taints: readonly Taint[],
  liveness: Liveness,
  nowText: string,
): readonly Taint[] {
  const wanted = liveness === 'unknown' ? UNREACHABLE : liveness === 'not-ready' ? NOT_READY : undefined;
  const others = taints.filter(({ key }) => key !== NOT_READY && key !== UNREACHABLE);
  if (!wanted) return others.length === taints.length ? taints : others;
  const has = (effect: string) => taints.find((taint) => taint.key === wanted && taint.effect === effect);
  const pair = (['NoSchedule', 'NoExecute'] as const).map(
    (effect) => has(effect) ?? { key: wanted, effect, timeAdded: nowText },
  );
  const settled =
    pair.every((taint) => taints.includes(taint)) && others.length + pair.length === taints.length;
  return settled ? taints : [...others, ...pair];
}

/** What agents report. Other conditions are of those who wrote them (a node problem detector), and stay as they are. */
const OF_AGENTS = new Set(['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure', 'Held']);

export const readyCondition = (status: NodeStatus | undefined): NodeCondition | undefined =>
  status?.conditions?.find(({ type }) => type === 'Ready');

/** Conditions of a silent node are unknown, as Kubernetes writes it; what is already unknown stays. */
export function unknownConditions(
  conditions: readonly NodeCondition[],
  nowText: string,
): readonly NodeCondition[] {
  const own = conditions.filter(({ type }) => OF_AGENTS.has(type));
  if (own.every(({ status }) => status === 'Unknown') && conditions.some(({ type }) => type === 'Ready'))
    return conditions;
  const known = conditions.some(({ type }) => type === 'Ready')
    ? conditions
    : [...conditions, { type: 'Ready', status: 'True' }];
  return known.map((condition) =>
    condition.status === 'Unknown' || !OF_AGENTS.has(condition.type)
      ? condition
      : {
          ...condition,
          status: 'Unknown',
          reason: 'NodeStatusUnknown',
          message: 'The agent stopped reporting.',
          lastTransitionTime: nowText,
        },
  );
}

/** A fresh status from the agent keeps the transition times of what did not change. */
export function mergedConditions(
  fresh: readonly NodeCondition[],
  before: readonly NodeCondition[],
  nowText: string,
): readonly NodeCondition[] {
  const isReported = ({ type }: NodeCondition) =>
    OF_AGENTS.has(type) || fresh.some((condition) => condition.type === type);
  const merged = fresh.map((condition) => {
    const old = before.find(({ type }) => type === condition.type);
    const unchanged = old?.status === condition.status && old.lastTransitionTime;
    return {
      ...condition,
      lastHeartbeatTime: unchanged ? (old.lastHeartbeatTime ?? nowText) : nowText,
      lastTransitionTime: unchanged ? old.lastTransitionTime : nowText,
    } as NodeCondition;
  });
  return [...merged, ...before.filter((condition) => !isReported(condition))];
}

const isExtended = (name: string): boolean =>
  name.includes('/') && !/(^|\.)kubernetes\.io\//.test(name) && !name.startsWith('requests.');

/**
 * As a kubelet: what others (a device plugin of their own, an operator with `kubectl patch --subresource=status`) say
 * that a node has stays in its capacity, and is allocatable.
 */
export function withExtendedResources(fresh: NodeStatus, before: NodeStatus | undefined): NodeStatus {
  const kept = Object.entries(before?.capacity ?? {}).filter(
    ([name]) => isExtended(name) && !Object.hasOwn(fresh.capacity ?? {}, name),
  );
  if (kept.length === 0) return fresh;
  const others = Object.fromEntries(kept);
  return {
    ...fresh,
    capacity: { ...fresh.capacity, ...others },
    allocatable: { ...others, ...fresh.allocatable },
  };
}

/** As often as a kubelet writes it when nothing changes. */
const HEARTBEAT_SHOWN_EVERY_MS = 300_000;

/** Of a node that is heard: the time that people see is never much older than the last word. */
export function freshHeartbeats(
  conditions: readonly NodeCondition[],
  nowText: string,
): readonly NodeCondition[] {
  const now = Date.parse(nowText);
  const isStale = ({ type, lastHeartbeatTime }: NodeCondition) =>
    OF_AGENTS.has(type) &&
    (!lastHeartbeatTime || Math.abs(now - Date.parse(lastHeartbeatTime)) >= HEARTBEAT_SHOWN_EVERY_MS);
  return conditions.some(isStale)
    ? conditions.map((condition) =>
        OF_AGENTS.has(condition.type) ? { ...condition, lastHeartbeatTime: nowText } : condition,
      )
    : conditions;
}
