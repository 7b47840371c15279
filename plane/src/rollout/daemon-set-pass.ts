// One DaemonSet: what its history, its grants and its status should be now. Reads one snapshot, decides with
// scheduler-core, answers with writes.
import { sameJson } from '@fleetset/scheduler-core/canonical-json';
import { earliest } from '@fleetset/scheduler-core/earliest';
import { revisionHash } from '@fleetset/scheduler-core/revision-history';
import { type Advance, advanceRollout } from '@fleetset/scheduler-core/rollout/advance-rollout';
import { daemonSetStatus } from '@fleetset/scheduler-core/rollout/daemon-set-status';
import { idleGrants, idleTarget } from '@fleetset/scheduler-core/rollout/idle-nodes';
import { planRollout, type RolloutPlan } from '@fleetset/scheduler-core/rollout/plan-rollout';
import { type PrePullWish, wishPrePulls } from '@fleetset/scheduler-core/rollout/pre-pull';
import { restingCount } from '@fleetset/scheduler-core/rollout/resting-nodes';
import {
  lateText,
  progressingCondition,
  type RolloutEvent,
  rolloutEvents,
} from '@fleetset/scheduler-core/rollout/rollout-condition';
import type { RolloutRecord, RolloutTimes } from '@fleetset/scheduler-core/rollout/rollout-record';
import { updateStrategyOf, withBudget } from '@fleetset/scheduler-core/rollout/update-strategy';
import { type WaitingFor, waitingFor } from '@fleetset/scheduler-core/rollout/waiting-for';
import type { DaemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import { revisionRefusal } from '../admission/pod-security.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { KubeObject } from '../kinds/kind.ts';
import type { Store, Write } from '../store/store.ts';
import { type ClosedNodes, goodForMs } from './closed-nodes.ts';
import type { ConfigRollout, ConfigRollouts } from './config-rollouts.ts';
import { createFailure } from './create-failure.ts';
import { type GrantBook, putGrant } from './grants.ts';
import type { NodeViews } from './node-views.ts';
import { putRecord, type RolloutRecords } from './rollout-records.ts';
import { readWishes } from './rollout-wishes.ts';
import { historyOf, historyWrites, observedGeneration, revisionsInUse } from './set-history.ts';
import type { StoredRevision, StoredSet } from './stored-set.ts';
import { underWay } from './under-way.ts';
import { verdictNote } from './verdict-note.ts';

/** What others write beside them stays. */
const OWN_CONDITIONS = ['Progressing', 'ReplicaFailure'];

export interface DaemonSetPass {
  readonly daemonSet: StoredSet;
  readonly history: readonly Write[];
  readonly grants: readonly Write[];
  readonly status: readonly Write[];
  readonly record: readonly Write[];
  readonly times: RolloutTimes;
  readonly events: readonly RolloutEvent[];
  readonly waiting?: WaitingFor;
  readonly prePull?: PrePullWish;
  /** Time alone changes something then; milliseconds of the monotonic clock. */
  readonly nextAt?: number;
  readonly plan: SetPlan;
  readonly config: ConfigRollout;
}

export interface SetPlan extends RolloutPlan {
  /** The revision of the template. */
  readonly newest: string;
  /** How many should run a pod. */
  readonly nodes: number;
  /** A change of its template or its config is about to be a revision. */
  readonly settling: boolean;
  /** How many of the nodes that wait may not be changed now: their window is closed, or they are held. */
  readonly closed: number;
  /** The way back does not come nearer, and why. */
  readonly late?: string;
}

export interface PassParts {
  readonly store: Store;
  readonly fleet: Fleet;
  readonly grants: GrantBook;
  readonly records: RolloutRecords;
  readonly views: NodeViews;
  readonly configs: ConfigRollouts;
  /** Nodes that have the images of a revision already. */
  readonly pulledAhead?: (daemonSetUid: string, revision: string) => ReadonlySet<string>;
  readonly nowText: () => string;
  readonly monotonicNow: () => number;
  /** What a clock on the wall said at an instant of the monotonic clock. */
  readonly wallText?: (at: number | undefined) => string | undefined;
}

export function passDaemonSet(
  parts: PassParts,
  daemonSet: StoredSet,
  revisions: readonly StoredRevision[],
): DaemonSetPass {
  const { store, fleet, records } = parts;
  const nowText = parts.nowText();
  const uid = daemonSet.metadata.uid ?? '';
  const grants = parts.grants.of(uid);
  const before = withoutRemoved(store, knownStable(records.of(uid), revisions));
  const inUse = revisionsInUse(store, fleet, uid, grants, before);
  const config = parts.configs.decide(daemonSet, revisions, parts.monotonicNow());
  const history = historyOf(store, daemonSet, revisions, config, inUse);
  const views = parts.views.of(daemonSet);
  const { nodes, lineUp, changed } = views;
  const count = nodes.length + restingCount(views);
  const strategy = updateStrategyOf(daemonSet);
  const wishes = readWishes(store, daemonSet, history.hash);
  const wallNow = Date.parse(nowText);
  const shut = views.windows.look(wishes.pacing.windows, wallNow);
  const refused = refusedRevisions(store, daemonSet, [history.hash, before?.stable]);
  const advance = advanceRollout(before, records.timesOf(uid), {
    ...wishes,
    newest: history.hash,
    nodes,
    lineUp,
    ...(changed ? { changed } : {}),
    closed: shut.closed,
    refused,
    now: parts.monotonicNow(),
  });
  const { record } = advance;
  // Under OnDelete people pace it: nothing is held, and nothing fails.
  const paced = strategy.type !== 'OnDelete';
  const plan = planRollout({
    strategy: withBudget(strategy, advance.maxUnavailable),
    nodes,
    lineUp,
    aside: advance.aside,
    broken: new Set(record.broken),
    groupBudgets: wishes.pacing.groupBudgets,
    ...(paced ? pacedBy(advance, refused) : { target: history.hash, holds: advance.holds }),
  });
  const idleRevision = paced ? idleTarget(advance, wishes.pacing) : history.hash;
  const granted = [...plan.grants, ...idleGrants(views.idle.values(), idleRevision)];
  // While nobody waits no window changes anything.
  const looksAgainIn = plan.waits.length > 0 ? goodForMs(shut, wallNow) : undefined;
  const nextAt = earliest(
    config.decision.settlesAt,
    advance.nextAt,
    looksAgainIn === undefined ? undefined : parts.monotonicNow() + looksAgainIn,
  );
  const settling = config.decision.settling !== undefined;
  const status = daemonSetStatus(
    views.counts,
    // What is about to come no pod has yet.
    settling ? undefined : history.hash,
    observedGeneration(daemonSet, config),
    { ...(daemonSet.status as NonNullable<DaemonSet['status']>), collisionCount: history.collisionCount },
  );
  const onTheirWay =
    record.phase === 'Progressing' || record.phase === 'RollingBack'
      ? underWay({
          store,
          fleet,
          daemonSetUid: uid,
          nodes,
          target: advance.target,
          aside: advance.aside,
          ...(record.broken ? { broken: record.broken } : {}),
          since: (node) => parts.wallText?.(advance.times.grantedAt.get(node)),
        })
      : undefined;
  const conditionBefore = daemonSet.status?.conditions?.find((one) => one.type === 'Progressing');
  const standing = {
    nodes: count,
    waits: plan.waits,
    settling,
    ...(onTheirWay ? { underWay: onTheirWay } : {}),
  };
  const condition = progressingCondition(record, wishes.pacing, standing, conditionBefore, nowText);
  const waiting = paced ? waitingFor(record, advance.times, standing) : undefined;
  const prePull = wishPrePulls({
    record: paced ? record : undefined,
    pacing: wishes.pacing,
    target: history.hash,
    waits: plan.waits,
    ...(parts.pulledAhead ? { done: parts.pulledAhead(uid, history.hash) } : {}),
    fleet: views,
  });
  const target = paced ? advance.target : history.hash;
  const failed = createFailure(daemonSet, views, target, refused.get(target), nowText);
  const others = (daemonSet.status?.conditions ?? []).filter(({ type }) => !OWN_CONDITIONS.includes(type));
  const conditions = [...(paced ? [condition] : []), ...(failed ? [failed.condition] : []), ...others];
  const late = paced ? lateText(record, standing) : undefined;
  const { conditions: _before, ...counters } = status;
  const shown = { ...counters, ...(conditions.length > 0 ? { conditions } : {}) };
  return {
    daemonSet,
    plan: {
      ...plan,
      newest: history.hash,
      grants: granted,
      nodes: count,
      settling,
      closed: paced ? closedCount(plan, shut) : 0,
      ...(late === undefined ? {} : { late }),
    },
    grants: [
      ...(plan.over ?? []).map(({ node, revision }) => putGrant(store, uid, node, revision)),
      ...granted.map(({ node, revision, surge }) => putGrant(store, uid, node, revision, surge)),
    ],
    config,
    history: [
      ...config.writes,
      ...historyWrites(history, nowText),
      ...(paced ? verdictNote(store, history, record) : []),
    ],
    record: paced && record !== records.of(uid) ? [putRecord(uid, record)] : [],
    times: advance.times,
    events: [...(paced ? rolloutEvents(records.of(uid), record, standing) : []), ...(failed?.events ?? [])],
    ...(waiting ? { waiting } : {}),
    ...(prePull ? { prePull } : {}),
    ...(nextAt === undefined ? {} : { nextAt }),
    status: sameJson(shown, daemonSet.status) ? [] : [statusWrite(store, daemonSet, shown)],
  };
}

function closedCount({ waits, held = 0 }: RolloutPlan, { closed }: ClosedNodes): number {
  if (closed.size === 0) return held;
  // A text is shared by many, and nobody else is told it.
  const texts = new Set([...closed].map(([, reason]) => reason));
  return held + waits.filter(({ reason }) => texts.has(reason)).length;
}

const pacedBy = ({ target, holds, fallback }: Advance, refused: ReadonlyMap<string, string>) => ({
  target,
  holds,
  ...(fallback === undefined || refused.has(fallback) ? {} : { fallback }),
});

/** Those of which no pod may be made in this namespace now, with why. */
function refusedRevisions(
  store: Store,
  daemonSet: StoredSet,
  hashes: readonly (string | undefined)[],
): ReadonlyMap<string, string> {
  const refusals = hashes.flatMap((hash): [string, string][] => {
    const why = hash === undefined ? undefined : revisionRefusal(store, daemonSet, hash);
    return hash === undefined || why === undefined ? [] : [[hash, why]];
  });
  return new Map(refusals);
}

/** Without the place to go back to when its revision was deleted. What went back there does not go on to what failed. */
function knownStable(
  record: RolloutRecord | undefined,
  revisions: readonly StoredRevision[],
): RolloutRecord | undefined {
  if (record?.stable === undefined) return record;
  if (revisions.some((revision) => revisionHash(revision) === record.stable)) return record;
  const { stable, ...rest } = record;
  if (rest.phase !== 'RollingBack' && rest.phase !== 'RolledBack') return rest;
  return { ...rest, phase: 'Stopped', message: `${rest.message}; ${stable}, its way back, was deleted` };
}

/**
 * Without what was remembered of nodes that were removed from the fleet. Their failures count as long as the rollout is
 * under way: one that breaks machines does not go on since somebody clears them away.
 */
function withoutRemoved(store: Store, record: RolloutRecord | undefined): RolloutRecord | undefined {
  if (!record) return undefined;
  const isThere = (name: string) => store.get('core/nodes', name) !== undefined;
  const failed = Object.entries(record.failures);
  const failures = record.phase === 'Progressing' ? failed : failed.filter(([name]) => isThere(name));
  const aside = record.aside.filter(isThere);
  const broken = record.broken?.filter(isThere);
  const isSame =
    failures.length === failed.length &&
    aside.length === record.aside.length &&
    broken?.length === record.broken?.length;
  if (isSame) return record;
  return { ...record, failures: Object.fromEntries(failures), aside, ...(broken ? { broken } : {}) };
}

/** Observed state: in memory, on the object as it is when this is written. */
function statusWrite(store: Store, daemonSet: StoredSet, status: DaemonSet['status']): Write {
  const id = `${daemonSet.metadata.namespace}/${daemonSet.metadata.name}`;
  const version = store.get('apps/daemonsets', id)?.version;
  return {
    collection: 'apps/daemonsets',
    id,
    value: { ...daemonSet, status } as unknown as KubeObject,
    ...(version === undefined ? {} : { expect: version }),
    durable: false,
  };
}
