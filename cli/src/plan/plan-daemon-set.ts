// What applying a DaemonSet would do: what changes in it, where it runs, and in which order nodes would be updated.
import { closureAt, nodeMaintenance } from '@fleetset/plane/maintenance/node-maintenance';
import { sameJson } from '@fleetset/scheduler-core/canonical-json';
import { LAST_APPLIED } from '@fleetset/scheduler-core/patch/apply-manifest';
import { decidePlacement, type Placement, placementRules } from '@fleetset/scheduler-core/placement';
import {
  type Foreseen,
  type ForeseenInput,
  foreseeRollout,
} from '@fleetset/scheduler-core/rollout/foresee-rollout';
import type { Pacing } from '@fleetset/scheduler-core/rollout/pacing';
import type { RolloutNode } from '@fleetset/scheduler-core/rollout/rollout-node';
import type { RolloutRecord } from '@fleetset/scheduler-core/rollout/rollout-record';
import { rolloutWishes, wantsConfigRollout } from '@fleetset/scheduler-core/rollout/rollout-wishes';
import { updateStrategyOf } from '@fleetset/scheduler-core/rollout/update-strategy';
import { type DaemonSet, daemonSet as schema } from '@fleetset/scheduler-core/schema/daemon-set';
import type { Node } from '@fleetset/scheduler-core/schema/node';
import type { NodePlacement } from '../commands/describe-rollout.ts';
import { changedFields, type FieldChange } from './changed-fields.ts';
import { type Change, type ConfigChange, type FileChanges, policiesAt, rolledOut } from './file-changes.ts';
import { type PlannedRevision, plannedRevision } from './plan-revisions.ts';
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
  readonly to: PlannedRevision;
  /** What its revisions hold and the file changes. */
  readonly config: readonly ConfigChange[];
  /** What the rollout that is there has come to. */
  readonly phase?: string;
  /** Absent when the template stays as it is. */
  readonly foreseen?: Foreseen;
}

/** `running`: of one that is there already. `now`: the instant, for maintenance windows. */
export function planDaemonSet(
  set: Change<DaemonSet>,
  running: Running | undefined,
  { nodes: listed, policies: stored }: Fleet,
  file: FileChanges,
  now: number,
): DaemonSetPlan {
  const { before: current, after: applied } = set;
  const policies = policiesAt(stored, file);
  const changes = current ? changedFields(schema, visible(current), visible(applied)) : [];
  const rules = placementRules(applied.spec?.template?.spec ?? { containers: [] });
  const nodes = listed.map((node): NodePlan => {
    const placement = decidePlacement(rules, placementNode(node));
    return { placement, node: rolloutNode(node, placement.decision, running) };
  });
  const revisions = running?.revisions ?? [];
  const config = running ? rolledOut(set, stored, file) : [];
  const holdsConfig = wantsConfigRollout(applied, policies);
  const to = plannedRevision(applied, revisions, holdsConfig, config.length > 0);
  const from =
    current && plannedRevision(current, revisions, wantsConfigRollout(current, stored), false).hash;
  const { pacing } = rolloutWishes(applied, policies, to.hash);
  const { windows } = rolloutWishes(current ?? applied, stored, '').pacing;
  const strategy = updateStrategyOf(applied);
  const before = running && recordOf(running);
  return {
    name: applied.metadata?.name ?? '',
    namespace: applied.metadata?.namespace ?? '',
    state: !current ? 'new' : changes.length > 0 ? 'changed' : 'unchanged',
    changes,
    nodes,
    pacing,
    strategy,
    ...(from === undefined ? {} : { from }),
    to,
    config,
    ...(running?.rollout.phase === undefined ? {} : { phase: running.rollout.phase }),
    ...(from === to.hash
      ? {}
      : {
          foreseen: foreseeRollout({
            ...(before ? { before } : {}),
            newest: to.hash,
            strategy,
            pacing,
            closed: closedOf(listed, running, windows, pacing.windows, now),
            nodes: nodes.map(({ node }) => node),
          }),
        }),
  };
}

/** What people write: not the status, nor what the plane and kubectl note for themselves. */
function visible({ metadata, spec }: DaemonSet) {
  const { [LAST_APPLIED]: _noted, ...annotations } = metadata?.annotations ?? {};
  const { labels = {}, finalizers = [] } = metadata ?? {};
  return { metadata: { labels, annotations, finalizers }, spec };
}

/** As its windows are now: by the plane's word, unless the file gives it others. */
function closedOf(
  nodes: readonly Node[],
  running: Running | undefined,
  before: Pacing['windows'],
  after: Pacing['windows'],
  now: number,
): ReadonlyMap<string, string> {
  const labels = new Map(nodes.map(({ metadata }) => [metadata?.name ?? '', metadata?.labels ?? {}]));
  const closureOf = sameJson(before, after) ? undefined : closureAt(after, now);
  return new Map(
    (running?.placements ?? []).flatMap(({ spec: { nodeName }, status }) => {
      const own = status.maintenance && nodeMaintenance(reportedOf(status.maintenance));
      const reason = closureOf ? closureOf(labels.get(nodeName) ?? {}, own).reason : status.closed;
      return reason ? [[nodeName, reason] as const] : [];
    }),
  );
}

const reportedOf = ({ timeZone = '', windows }: NonNullable<NodePlacement['status']['maintenance']>) => ({
  timeZone,
  ownWindows: windows && { windows: windows.map((one) => ({ ...one, timeZone: one.timeZone ?? '' })) },
});

function recordOf({ rollout }: Running): RolloutRecord | undefined {
  const { newestRevision, stableRevision, attempt = 0 } = rollout;
  if (newestRevision === undefined) return undefined;
  return {
    newest: newestRevision,
    ...(stableRevision === undefined ? {} : { stable: stableRevision }),
    phase: 'Progressing',
    reason: '',
    message: '',
    wave: 0,
    failures: {},
    attempt,
    aside: [],
  };
}

/** Nothing but how it is paced or kept changes: no pod is touched. */
export const isRestartFree = ({ state, from, to }: DaemonSetPlan): boolean =>
  state === 'changed' && from === to.hash;
