// Which nodes were granted what they should have and do not have it available yet, and why the first of them does not.

import type { UnderWay } from '@fleetset/scheduler-core/rollout/rollout-condition';
import {
  effectiveRevision,
  isSetAside,
  type RolloutNode,
} from '@fleetset/scheduler-core/rollout/rollout-node';
import { hasAvailable } from '@fleetset/scheduler-core/rollout/rollout-times';
import { troubleOf } from '../fleet/failing-pod.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { adoptedBy, podsOfSet } from '../fleet/orphans.ts';
import type { Store } from '../store/store.ts';

export interface WayInput {
  readonly store: Store;
  readonly fleet: Fleet;
  readonly daemonSetUid: string;
  readonly nodes: readonly RolloutNode[];
  /** The revision that nodes should have. */
  readonly target: string;
  readonly aside: ReadonlySet<string>;
  readonly broken?: readonly string[];
  /** When a node was given the target, as far as is known. */
  readonly since?: (node: string) => string | undefined;
}

export function underWay(input: WayInput): UnderWay | undefined {
  const { target } = input;
  const those = input.nodes.filter(
    (node) => effectiveRevision(node) === target && !hasAvailable(node, target) && !isSetAside(node, input),
  );
  // Nobody waits for what was broken before.
  const first = those.find(({ name }) => !input.broken?.includes(name)) ?? those[0];
  if (!first) return undefined;
  const since = input.since?.(first.name);
  return {
    node: first.name,
    reason: reasonFor(first, input),
    ...(since === undefined ? {} : { since }),
    others: those.length - 1,
  };
}

function reasonFor(
  { name, lost, connected }: RolloutNode,
  { store, fleet, daemonSetUid, target }: WayInput,
): string {
  if (lost) return 'it fell silent after it got it';
  if (!connected) return 'its agent is not connected';
  const pods = podsOfSet(fleet.state(name), daemonSetUid, adoptedBy(store, daemonSetUid));
  const pod = pods.find(({ revision }) => revision === target);
  if (!pod) return 'its new pod is not there yet';
  return troubleOf(pod) ?? 'its new pod is not available yet';
}
