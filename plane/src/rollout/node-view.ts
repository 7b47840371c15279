// What planning sees of one node for one DaemonSet, from all that is known of the node.
import type { PodReport } from '@fleetset/proto/gen/fleetset/v1/node';
import { holdText } from '@fleetset/scheduler-core/node/hold';
import {
  decidePlacement,
  type PlacementDecision,
  type PlacementRules,
} from '@fleetset/scheduler-core/placement';
import type { StatusNode, StatusPod } from '@fleetset/scheduler-core/rollout/daemon-set-status';
import type { RolloutNode } from '@fleetset/scheduler-core/rollout/rollout-node';
import type { Node } from '@fleetset/scheduler-core/schema/node';
import type { Taint } from '@fleetset/scheduler-core/schema/scheduling';
import { withoutLifecycle } from '../fleet/compose-node.ts';
import { failingReason, hasEnded } from '../fleet/failing-pod.ts';
import { type Fleet, isBehind, isConnected, type NodeState } from '../fleet/fleet.ts';
import { adoptedBy, podsOfSet } from '../fleet/orphans.ts';
import { isDeleted } from '../fleet/tombstones.ts';
import { type NodeMaintenance, nodeMaintenance } from '../maintenance/node-maintenance.ts';
import type { Store } from '../store/store.ts';
import type { GrantBook } from './grants.ts';
import { isSameRules } from './placement-rules.ts';

export interface NodeView {
  readonly rollout: RolloutNode;
  readonly status: StatusNode;
  readonly maintenance?: NodeMaintenance;
}

export interface ViewSources {
  readonly store: Store;
  readonly fleet: Fleet;
  readonly grants: GrantBook;
}

/** `node`: as it is stored; undefined for one that is no part of the fleet. */
export function viewNode(
  { store, fleet, grants }: ViewSources,
  daemonSetUid: string,
  rules: PlacementRules,
  name: string,
  node: Node | undefined,
): NodeView | undefined {
  if (!node) return undefined;
  const state = fleet.state(name);
  const { lost } = state;
  const decisions = decisionsFor(state, node, rules, daemonSetUid, lost);
  const labels = node.metadata?.labels ?? {};
  const granted = { revision: grants.of(daemonSetUid).get(name), surge: grants.isSurge(daemonSetUid, name) };
  return viewOf(store, state, lost, decisions, daemonSetUid, granted, labels);
}

function viewOf(
  store: Store,
  state: NodeState,
  lost: boolean,
  decisions: Decisions,
  uid: string,
  granted: { readonly revision: string | undefined; readonly surge: boolean },
  labels: { readonly [label: string]: string },
): NodeView {
  const { name } = state;
  // Rule 19: what has ended and is being deleted is gone.
  const all = podsOfSet(state, uid, adoptedBy(store, uid)).filter(
    (pod) => !pod.terminating || !hasEnded(pod),
  );
  const pods = all.map((pod) => ({
    revision: pod.revision,
    // What is not heard of is not known to be ready.
    ready: pod.ready && !lost,
    available: pod.available && !lost,
    deleted: isDeleted(store, name, pod.uid),
    ...(pod.unknown ? { unknown: true } : {}),
  }));
  const position = Math.max(
    0,
    all.findIndex(({ terminating }) => !terminating),
  );
  const [counting, reported] = [pods[position], all[position]];
  const failing = reported && failingReason(reported);
  const beside = besideOf(all, reported, granted.revision);
  const facts = state.report?.facts;
  const held = holdText(facts?.holds ?? []);
  const maintenance = nodeMaintenance(facts?.maintenance);
  return {
    rollout: {
      name,
      decision: decisions.rollout,
      connected: isConnected(state),
      lost,
      behind: isBehind(state),
      labels,
      ...(failing ? { failing } : {}),
      ...(granted.revision === undefined ? {} : { granted: granted.revision }),
      ...(granted.surge ? { surging: true } : {}),
      ...(beside ? { beside } : {}),
      ...(held === undefined ? {} : { held }),
      ...(counting && reported ? { pod: { ...counting, available: isUp(counting, reported) } } : {}),
    },
    status: { decision: decisions.status, pods },
    ...(maintenance ? { maintenance } : {}),
  };
}

/** What is being stopped may still answer, but not for long. */
const isUp = ({ available }: StatusPod, { terminating }: PodReport): boolean => available && !terminating;

/** Of the others that are not being stopped, what was granted, or the newest. */
function besideOf(
  pods: readonly PodReport[],
  counting: PodReport | undefined,
  granted: string | undefined,
): RolloutNode['beside'] {
  const others = pods.filter((pod) => pod !== counting && !pod.terminating);
  const beside = others.find(({ revision }) => revision === granted) ?? others.at(-1);
  if (!beside) return undefined;
  const failing = failingReason(beside);
  return { revision: beside.revision, ...(failing ? { failing } : {}) };
}

interface Decisions {
  /** For pacing: a silent node has not left its DaemonSets. */
  readonly rollout: PlacementDecision;
  /** For the counters: as in Kubernetes, the taints of a silent node count. */
  readonly status: PlacementDecision;
}

/**
 * The agent's word, as long as it is heard and by these rules; the plane's own reading of them otherwise. By other rules
 * it still counts for pacing where it says Run: the pod is there until the node has heard of the new ones.
 */
function decisionsFor(
  state: NodeState,
  node: Node,
  rules: PlacementRules,
  daemonSetUid: string,
  lost: boolean,
): Decisions {
  const told = state.placements.get(daemonSetUid)?.decision;
  const said = told === 'Run' || told === 'Keep' || told === 'Leave' ? told : undefined;
  const current = isSameRules(state.decidedBy?.get(daemonSetUid), rules);
  if (said && current && !lost) return { rollout: said, status: said };
  const word = current || said === 'Run' ? said : undefined;
  const taints = node.spec?.taints ?? [];
  const read = (seen: readonly Taint[]) =>
    decidePlacement(rules, {
      name: node.metadata?.name ?? '',
      labels: node.metadata?.labels ?? {},
      taints: seen,
    }).decision;
  return { rollout: word ?? read(withoutLifecycle(taints)), status: read(taints) };
}
