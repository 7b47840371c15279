// What applying a DaemonSet would do: what changes in it, where it runs, and in which order nodes would be updated.
import { configPin, withPin } from '@fleetset/scheduler-core/node/config-snapshot';
import { LAST_APPLIED } from '@fleetset/scheduler-core/patch/apply-manifest';
import { decidePlacement, type Placement, placementRules } from '@fleetset/scheduler-core/placement';
import { planHistory, revisionHash, revisionTemplate } from '@fleetset/scheduler-core/revision-history';
import {
  type Foreseen,
  type ForeseenInput,
  foreseeRollout,
} from '@fleetset/scheduler-core/rollout/foresee-rollout';
import type { Pacing } from '@fleetset/scheduler-core/rollout/pacing';
import type { RolloutNode } from '@fleetset/scheduler-core/rollout/plan-rollout';
import type { RolloutRecord } from '@fleetset/scheduler-core/rollout/rollout-record';
import { rolloutWishes, wantsConfigRollout } from '@fleetset/scheduler-core/rollout/rollout-wishes';
import { updateStrategyOf } from '@fleetset/scheduler-core/rollout/update-strategy';
import { type DaemonSet, daemonSet as schema } from '@fleetset/scheduler-core/schema/daemon-set';
import { changedFields, type FieldChange } from './changed-fields.ts';
import { type Fleet, placementNode, type Running, rolloutNode } from './read-fleet.ts';

export interface NodePlan {
  readonly placement: Placement;
  readonly node: RolloutNode;
}

export interface DaemonSetPlan {
  readonly name: string;
  readonly namespace: string;
  readonly state: 'new' | 'changed' | 'unchanged';
  readonly changes: readonly FieldChange[];
  readonly nodes: readonly NodePlan[];
  readonly pacing: Pacing;
  readonly strategy: ForeseenInput['strategy'];
  /** The revision of its template now, and the one that it would have. */
  readonly from?: string;
  readonly to: string;
  /** What the rollout that is there has come to. */
  readonly phase?: string;
  /** Absent when the template stays as it is. */
  readonly foreseen?: Foreseen;
}

export interface Existing {
  readonly current: DaemonSet;
  readonly running: Running;
}

/** `applied`: as the plane would store it. */
export function planDaemonSet(
  applied: DaemonSet,
  existing: Existing | undefined,
  { nodes: listed, policies }: Fleet,
): DaemonSetPlan {
  const running = existing?.running;
  const changes = existing ? changedFields(schema, visible(existing.current), visible(applied)) : [];
  const rules = placementRules(applied.spec?.template?.spec ?? { containers: [] });
  const nodes = listed.map((node): NodePlan => {
    const placement = decidePlacement(rules, placementNode(node));
    return { placement, node: rolloutNode(node, placement.decision, running) };
  });
  const revisions = running?.revisions ?? [];
  const pin = wantsConfigRollout(applied, policies) ? newestPin(revisions) : undefined;
  const hashOf = (daemonSet: DaemonSet) =>
    planHistory(withConfig(daemonSet, pin), revisions, inUse(running)).hash;
  const to = hashOf(applied);
  const from = existing && hashOf(existing.current);
  const { pacing, approvedWaves } = rolloutWishes(applied, policies, to);
  const strategy = updateStrategyOf(applied);
  const before = running && recordOf(running);
  return {
    name: applied.metadata?.name ?? '',
    namespace: applied.metadata?.namespace ?? '',
    state: !existing ? 'new' : changes.length > 0 ? 'changed' : 'unchanged',
    changes,
    nodes,
    pacing,
    strategy,
    ...(from === undefined ? {} : { from }),
    to,
    ...(running?.rollout.phase === undefined ? {} : { phase: running.rollout.phase }),
    ...(from === to
      ? {}
      : {
          foreseen: foreseeRollout({
            ...(before ? { before } : {}),
            newest: to,
            strategy,
            pacing,
            approvedWaves,
            closed: closedOf(running),
            nodes: nodes.map(({ node }) => node),
          }),
        }),
  };
}

/** The config that its pods have: a manifest of the DaemonSet changes nothing of that. */
function newestPin(revisions: Running['revisions']): string | undefined {
  const newest = [...revisions].sort((a, b) => a.revision - b.revision).at(-1);
  return newest && configPin(revisionTemplate(newest));
}

function withConfig(daemonSet: DaemonSet, pin: string | undefined): DaemonSet {
  const { spec } = daemonSet;
  return pin === undefined || !spec
    ? daemonSet
    : { ...daemonSet, spec: { ...spec, template: withPin(spec.template ?? {}, pin) } };
}

/** What people write: not the status, nor what the plane and kubectl note for themselves. */
function visible({ metadata, spec }: DaemonSet) {
  const { [LAST_APPLIED]: _noted, ...annotations } = metadata?.annotations ?? {};
  const { labels = {}, finalizers = [] } = metadata ?? {};
  return { metadata: { labels, annotations, finalizers }, spec };
}

/** As its windows are now; by the policy that the DaemonSet has had so far. */
const closedOf = (running: Running | undefined): ReadonlyMap<string, string> =>
  new Map(
    running?.placements.flatMap(({ spec, status }) =>
      status.closed ? [[spec.nodeName, status.closed] as const] : [],
    ),
  );

const inUse = (running: Running | undefined): ReadonlySet<string> =>
  new Set(running?.revisions.map(revisionHash));

function recordOf({ rollout }: Running): RolloutRecord | undefined {
  const { newestRevision, stableRevision } = rollout;
  if (newestRevision === undefined) return undefined;
  return {
    newest: newestRevision,
    ...(stableRevision === undefined ? {} : { stable: stableRevision }),
    phase: 'Progressing',
    reason: '',
    message: '',
    wave: 0,
    failures: {},
    aside: [],
  };
}

/** Nothing but how it is paced or kept changes: no pod is touched. */
export const isRestartFree = ({ state, from, to }: DaemonSetPlan): boolean =>
  state === 'changed' && from === to;
