// Passes over DaemonSets: each is planned, what was decided is written, and what others go by is kept up to date.
import { earliest } from '@fleetset/scheduler-core/earliest';
import { utcText } from '@fleetset/scheduler-core/utc-text';
import type { Fleet } from '../fleet/fleet.ts';
import type { Store, Write } from '../store/store.ts';
import { type ConfigIndex, createConfigIndex } from './config-index.ts';
import { createConfigRollouts } from './config-rollouts.ts';
import type { ConfigSnapshots } from './config-snapshots.ts';
import { type DaemonSetPass, passDaemonSet, type SetPlan } from './daemon-set-pass.ts';
import { finishDeletion, leftoversOf } from './end-of-set.ts';
import { uidOf } from './follow-store.ts';
import type { GrantBook } from './grants.ts';
import type { NodeViews } from './node-views.ts';
import { adopt } from './orphaning.ts';
import type { PrePulls } from './pre-pulls.ts';
import type { Revisions } from './revision-index.ts';
import type { RolloutRecords } from './rollout-records.ts';
import type { StoredRevision, StoredSet } from './stored-set.ts';
import type { TellOfSet } from './tell-of-sets.ts';
import { createWaitingTeller } from './waiting-teller.ts';

export interface SetPassesParts {
  readonly store: Store;
  readonly fleet: Fleet;
  readonly grants: GrantBook;
  readonly records: RolloutRecords;
  readonly snapshots: ConfigSnapshots;
  readonly views: NodeViews;
  readonly prePulls: Pick<PrePulls, 'wish' | 'doneOf'>;
  readonly monotonicNow: () => number;
  readonly nowText: () => string;
  readonly revisions: () => Revisions;
  readonly tell: TellOfSet;
  /** What the images of a revision that comes are pulled with. */
  readonly pullObjectsOf: (uid: string, revision: string) => readonly string[];
  readonly again: {
    readonly set: (uid: string) => void;
    readonly node: (name: string) => void;
    readonly allNodes: () => void;
  };
}

export interface SetPasses {
  readonly pass: (uids: readonly string[]) => Promise<void>;
  /** The last plan of a DaemonSet. */
  readonly planOf: (uid: string) => SetPlan | undefined;
  /** Whether its revisions held their config at the last look. */
  readonly holdsConfig: (uid: string) => boolean;
  /** DaemonSets that roll out changes of this object, or pull their images in advance with it. */
  readonly followersOf: (object: string) => readonly string[];
  /** Those of which time alone changes something until then. */
  readonly dueAt: (now: number) => readonly string[];
  /** When there will be such a one. */
  readonly nextDue: () => number | undefined;
}

/** So long nothing else of the plane has its turn. */
const SLICE_MS = 20;

export function createSetPasses(parts: SetPassesParts): SetPasses {
  const { store, fleet, grants, records, views, prePulls, tell, again, monotonicNow } = parts;
  const plans = new Map<string, SetPlan>();
  const waiting = createWaitingTeller(monotonicNow);
  const configs = createConfigRollouts(store, parts.snapshots);
  const rollers = createConfigIndex();
  const pullers = createConfigIndex();
  const holding = new Set<string>();
  const due = new Map<string, number>();
  /** One reading of both clocks, so that an instant keeps its text. */
  const wallAtZero = Date.parse(parts.nowText()) - monotonicNow();
  const wallText = (at: number | undefined) => (at === undefined ? undefined : utcText(wallAtZero + at));

  const commit = async (writes: readonly Write[]) =>
    writes.length === 0 || (await store.commit(writes)).committed;

  /** As it is at this moment: between one DaemonSet and the next, clients write. */
  const setNow = (id: string, uid: string): StoredSet | undefined => {
    const found = store.get('apps/daemonsets', id)?.value as unknown as StoredSet | undefined;
    return found?.metadata.uid === uid ? found : undefined;
  };

  const passOne = async (uid: string, id: string, revisions: readonly StoredRevision[]): Promise<void> => {
    const daemonSet = setNow(id, uid);
    if (!daemonSet) {
      await commit(leftoversOf(store, uid, revisions, grants));
      return forget(uid);
    }
    if (daemonSet.metadata.deletionTimestamp) {
      forget(uid);
      await commit(finishDeletion(store, fleet, grants, daemonSet));
      return;
    }
    const adopted = adopt(store, fleet, grants, records, daemonSet, revisions);
    if (adopted.length > 0) {
      // What it plans with is another then.
      await commit(adopted);
      return again.set(uid);
    }
    const pass = passDaemonSet(
      { ...parts, configs, pulledAhead: prePulls.doneOf, wallText },
      daemonSet,
      revisions,
    );
    plans.set(uid, pass.plan);
    followConfigOf(uid, pass);
    records.setTimes(uid, pass.times);
    views.taken(uid);
    const tellsAt = waiting.look(uid, pass.waiting, (message) =>
      tell(daemonSet, { type: 'Normal', reason: 'RolloutWaiting', message }),
    );
    const nextAt = earliest(pass.nextAt, tellsAt);
    if (nextAt === undefined) due.delete(uid);
    else due.set(uid, nextAt);
    if (await commit([...pass.history, ...pass.record, ...pass.grants])) {
      for (const event of pass.events) tell(daemonSet, event);
      prePulls.wish(uid, pass.prePull);
      pullers.set(uid, pass.prePull ? parts.pullObjectsOf(uid, pass.prePull.revision) : []);
      // A verdict shows in the plan that follows it.
      if (pass.record.length > 0) again.set(uid);
    } else again.set(uid);
    if (!(await commit(pass.status))) again.set(uid);
    for (const { node } of [...pass.plan.grants, ...(pass.plan.over ?? [])]) again.node(node);
    // A grant of what runs already may free budget at once, and no report will come to say so.
    if (pass.plan.grants.some(({ node, revision }) => runsAlready(fleet, uid, node, revision)))
      again.set(uid);
  };

  /** Nothing is paced any more. */
  const forget = (uid: string) => {
    plans.delete(uid);
    views.forget(uid);
    records.forgetTimes(uid);
    configs.forget(uid);
    waiting.forget(uid);
    prePulls.wish(uid, undefined);
    pullers.set(uid, []);
    rollers.set(uid, []);
    holding.delete(uid);
    due.delete(uid);
  };

  const followConfigOf = (uid: string, { config }: DaemonSetPass) => {
    rollers.set(uid, config.keys);
    // Whether nodes are told of a snapshot, and of which, is not only a question of grants.
    if (config.enabled !== holding.has(uid) || config.decision.adopt) again.allNodes();
    if (config.enabled) holding.add(uid);
    else holding.delete(uid);
  };

  const both = (object: string, ...indexes: readonly ConfigIndex[]) =>
    indexes.flatMap((index) => [...index.of(object)]);

  return {
    pass: async (uids) => {
      const revisions = parts.revisions().byOwner;
      const ids = new Map([...store.list('apps/daemonsets')].map(({ id, value }) => [uidOf({ value }), id]));
      let together: Promise<void>[] = [];
      let began = monotonicNow();
      for (const uid of uids) {
        // What is decided in one slice reaches the disk at once.
        together.push(passOne(uid, ids.get(uid) ?? '', revisions.get(uid) ?? []));
        if (monotonicNow() - began < SLICE_MS) continue;
        await allOf(together);
        together = [];
        began = monotonicNow();
      }
      await allOf(together);
    },
    planOf: (uid) => plans.get(uid),
    holdsConfig: (uid) => holding.has(uid),
    followersOf: (object) => both(object, rollers, pullers),
    dueAt: (now) => [...due].filter(([, at]) => at <= now).map(([uid]) => uid),
    nextDue: () => earliest(...due.values()),
  };
}

/** Nothing of it goes on when one has failed. */
async function allOf(running: readonly Promise<void>[]): Promise<void> {
  const ended = await Promise.allSettled(running);
  for (const one of ended) if (one.status === 'rejected') throw one.reason;
}

const runsAlready = (fleet: Fleet, uid: string, node: string, revision: string): boolean =>
  fleet
    .get(node)
    ?.podsBySet.get(uid)
    ?.some((pod) => pod.revision === revision) ?? false;
