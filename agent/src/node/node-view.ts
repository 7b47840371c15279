// One look at the engine, with what was decided from it.
import type { Generation, NodeDesired } from '@fleetset/proto/gen/fleetset/v1/node';
import type { NodePlan } from '@fleetset/scheduler-core/node/plan-node';
import { HOLDER } from '@fleetset/scheduler-core/node/pod-record';
import type { RuntimeContainer } from '../runtime/container-runtime.ts';
import type { KnownPod } from '../state/pod-book.ts';
import type { ResolvedDesired } from './desired-state.ts';

export interface NodeView {
  /** There has been no look yet: of the pods in the book only that they are there is known. */
  readonly unseen?: boolean;
  /** Of what was told, as far as it is decided on here. */
  readonly generation?: Generation;
  readonly containers: readonly RuntimeContainer[];
  readonly plan: NodePlan;
  readonly desired: ResolvedDesired;
}

export const NOTHING_TOLD: ResolvedDesired = {
  daemonSets: [],
  minReadyMs: new Map(),
  labels: {},
  taints: [],
  tombstones: new Map(),
  orphans: new Set(),
};

export const leaveAlone = (known: readonly KnownPod[]): NodePlan => ({
  actions: [],
  blocked: new Map(),
  placements: [],
  pods: known.map(({ record }) => ({ record, bucket: 'run', reason: 'not told what to do with it' })),
});

export const generationOf = (told: NodeDesired | undefined): { readonly generation?: Generation } =>
  told?.generation ? { generation: told.generation } : {};

export function newestHolder(containers: readonly RuntimeContainer[], podUid: string) {
  return containers
    .filter(({ identity }) => identity.pod.uid === podUid && identity.name === HOLDER)
    .map(({ id, identity, ip }) => ({ id, attempt: identity.attempt, ...(ip ? { ip } : {}) }))
    .sort((a, b) => b.attempt - a.attempt)[0];
}
