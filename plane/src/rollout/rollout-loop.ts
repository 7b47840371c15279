// The loop that paces: wakes on changes of DaemonSets, nodes, reports and deletions; writes history, grants and
// status; then tells each touched node what it is to do now.
import type { ApiEndpoint } from '@fleetset/proto/gen/fleetset/v1/node';
import { earliest } from '@fleetset/scheduler-core/earliest';
import { startLevelLoop } from '@fleetset/scheduler-core/level-loop';
import type { Node } from '@fleetset/scheduler-core/schema/node';
import { utcText } from '@fleetset/scheduler-core/utc-text';
import type { EventRecorder } from '../events/event-recorder.ts';
import type { Fleet, RulesTold } from '../fleet/fleet.ts';
import { adoptedBy, podsOfSet } from '../fleet/orphans.ts';

import { followTombstones } from '../fleet/tombstones.ts';
import type { Store, Write } from '../store/store.ts';
import { schedule } from '../timer.ts';
import { belongsOn } from './belongs.ts';
import type { BodyBook } from './body-book.ts';
import { createConfigIndex } from './config-index.ts';
import { createConfigRollouts } from './config-rollouts.ts';
import type { ConfigSnapshots } from './config-snapshots.ts';
import { type DaemonSetPass, passDaemonSet, type SetPlan } from './daemon-set-pass.ts';
import { accountsOfPods, desiredFor, objectsTold } from './desired-state.ts';
import { finishDeletion, leftoversOf } from './end-of-set.ts';
import { followStore, uidOf } from './follow-store.ts';
import type { GrantBook } from './grants.ts';
import { loginOf, neededImages, pullObjects } from './needed-images.ts';
import { createNodeViews } from './node-views.ts';
import { adopt, settleOrphans } from './orphaning.ts';
import { rulesBySet } from './placement-rules.ts';
import { createPrePulls, type PrePulls } from './pre-pulls.ts';
import { NO_REVISIONS, type Revisions, readRevisions } from './revision-index.ts';
import type { RolloutRecords } from './rollout-records.ts';
import type { StoredSet } from './stored-set.ts';
import { createBodySweep, tellNode } from './tell-node.ts';
import { tellOfSets } from './tell-of-sets.ts';
import { createWaitingTeller } from './waiting-teller.ts';

export interface RolloutLoopParts {
  readonly store: Store;
  readonly fleet: Fleet;
  readonly bodies: BodyBook;
  readonly grants: GrantBook;
  readonly records: RolloutRecords;
  readonly snapshots: ConfigSnapshots;
  readonly recorder: EventRecorder;
  /** Where pods find the API. */
  readonly api: () => ApiEndpoint;
  readonly monotonicNow: () => number;
  readonly nowText: () => string;
  readonly onFailure: (error: unknown, retryInMs: number) => void;
}

export interface RolloutLoop {
  /** This node reported, connected or left: its DaemonSets and what it is told are looked at again. */
  readonly touchNode: (name: string) => void;
  /** The last plan of a DaemonSet, for people. */
  readonly planOf: (daemonSetUid: string) => SetPlan | undefined;
  readonly prePulls: Pick<PrePulls, 'heard' | 'statusOf'>;
  readonly stop: () => Promise<void>;
}

export function startRolloutLoop(parts: RolloutLoopParts): RolloutLoop {
  const { store, fleet, bodies, grants, records } = parts;
  const dirtySets = new Set<string>();
  const dirtyNodes = new Set<string>();
  const plans = new Map<string, SetPlan>();
  const views = createNodeViews(parts);
  const tell = tellOfSets(parts.recorder);
  const waiting = createWaitingTeller(parts.monotonicNow);
  const configs = createConfigRollouts(store, parts.snapshots);
  /** Nodes by the ConfigMaps, Secrets and ServiceAccounts they are told of, and DaemonSets by those whose change they roll out. */
  const tellers = createConfigIndex();
  const rollers = createConfigIndex();
  /** DaemonSets by what their images are pulled in advance with. */
  const pullers = createConfigIndex();
  /** DaemonSets whose revisions held their config at the last look. */
  const holding = new Set<string>();
  const tombstonesOf = followTombstones(store);
  const dropBodies = createBodySweep(bodies, fleet);
  let revisionsChanged = true;
  /** Until one is written. */
  let revisionsKnown: Revisions | undefined;
  /** One reading of both clocks, so that an instant keeps its text. */
  const wallAtZero = Date.parse(parts.nowText()) - parts.monotonicNow();
  const wallText = (at: number | undefined) => (at === undefined ? undefined : utcText(wallAtZero + at));
  /** When time alone changes something of a DaemonSet. */
  const due = new Map<string, number>();

  const allSets = () => [...store.list('apps/daemonsets')].map(({ value }) => value as unknown as StoredSet);
  const touchAllSets = () => {
    for (const { metadata } of allSets()) dirtySets.add(metadata.uid ?? '');
  };
  /** Also those of which only grants are left. */
  const touchEverySet = () => {
    touchAllSets();
    for (const uid of grants.sets()) dirtySets.add(uid);
  };
  const touchAllNodes = () => {
    for (const { id } of store.list('core/nodes')) dirtyNodes.add(id);
  };

  const revisionsNow = (): Revisions => {
    revisionsKnown ??= readRevisions(store);
    return revisionsKnown;
  };

  const commit = async (writes: readonly Write[]) => {
    if (writes.length === 0) return true;
    return (await store.commit(writes)).committed;
  };

  /** As it is at this moment: between one DaemonSet and the next, clients write. */
  const setNow = (id: string, uid: string): StoredSet | undefined => {
    const found = store.get('apps/daemonsets', id)?.value as unknown as StoredSet | undefined;
    return found?.metadata.uid === uid ? found : undefined;
  };

  const passSets = async () => {
    const uids = [...dirtySets];
    dirtySets.clear();
    const revisions = revisionsNow().byOwner;
    const ids = new Map([...store.list('apps/daemonsets')].map(({ id, value }) => [uidOf({ value }), id]));
    for (const uid of uids) {
      const daemonSet = setNow(ids.get(uid) ?? '', uid);
      if (!daemonSet) {
        await commit(leftoversOf(store, uid, revisions.get(uid) ?? [], grants));
        forget(uid);
        continue;
      }
      if (daemonSet.metadata.deletionTimestamp) {
        forget(uid);
        await commit(finishDeletion(store, fleet, grants, daemonSet));
        continue;
      }
      const adopted = adopt(store, fleet, grants, records, daemonSet, revisions.get(uid) ?? []);
      if (adopted.length > 0) {
        // What it plans with is another then.
        await commit(adopted);
        dirtySets.add(uid);
        continue;
      }
      const pass = passDaemonSet(
        { ...parts, views, configs, pulledAhead: prePulls.doneOf, wallText },
        daemonSet,
        revisions.get(uid) ?? [],
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
        pullers.set(uid, pass.prePull ? pullObjects(pullInputs(), uid, pass.prePull.revision) : []);
        // A verdict shows in the plan that follows it.
        if (pass.record.length > 0) dirtySets.add(uid);
      } else dirtySets.add(uid);
      if (!(await commit(pass.status))) dirtySets.add(uid);
      for (const { node } of [...pass.plan.grants, ...(pass.plan.over ?? [])]) dirtyNodes.add(node);
      // A grant of what runs already may free budget at once, and no report will come to say so.
      if (pass.plan.grants.some(({ node, revision }) => runsAlready(fleet, uid, node, revision)))
        dirtySets.add(uid);
    }
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
    if (config.enabled !== holding.has(uid) || config.decision.adopt) touchAllNodes();
    if (config.enabled) holding.add(uid);
    else holding.delete(uid);
  };

  const dropSnapshots = async () => {
    if (!revisionsChanged) return;
    revisionsChanged = false;
    await commit(parts.snapshots.sweep());
  };

  let rulesKnown: { readonly version: number; readonly rules: RulesTold } | undefined;
  const rulesNow = (): RulesTold => {
    const version = store.version();
    if (rulesKnown?.version !== version) rulesKnown = { version, rules: rulesBySet(store) };
    return rulesKnown.rules;
  };

  const tellNodes = () => {
    const names = [...dirtyNodes];
    dirtyNodes.clear();
    const { byHash } = revisionsNow();
    const inputs = {
      store,
      fleet,
      bodies,
      grants,
      snapshots: parts.snapshots,
      tombstonesOf,
      api: parts.api(),
      holdsConfig: ({ metadata }: StoredSet) => holding.has(metadata.uid ?? ''),
      revisionsOf: (uid: string) => byHash.get(uid) ?? NO_REVISIONS,
    };
    const rules = rulesNow();
    for (const name of names) {
      const node = store.get('core/nodes', name)?.value as unknown as Node | undefined;
      const state = fleet.get(name);
      const desired = node && state?.session ? desiredFor(inputs, node) : undefined;
      tellers.set(name, desired ? objectsTold(desired, accountsOfPods(inputs, name)) : []);
      if (desired && state) tellNode(fleet, state, desired, rules, store.epoch);
    }
    return names;
  };

  const pullInputs = () => {
    const { byHash } = revisionsNow();
    return { store, fleet, bodies, revisionsOf: (uid: string) => byHash.get(uid) ?? NO_REVISIONS };
  };

  const prePulls = createPrePulls({
    fleet,
    // A node's word alone opens no registry.
    runs: (name, uid) => {
      const node = store.get('core/nodes', name)?.value as unknown as Node | undefined;
      const rules = rulesNow().get(uid);
      const belongs = node !== undefined && rules !== undefined && belongsOn(node, rules);
      return belongs && podsOfSet(fleet.state(name), uid, adoptedBy(store, uid)).length > 0;
    },
    neededBy: (node, uid, revision) => neededImages(pullInputs(), node, uid, revision),
    loginOf: (uid, revision) => loginOf(pullInputs(), uid, revision),
    onFailing: (uid, message) => {
      const daemonSet = allSets().find(({ metadata }) => metadata.uid === uid);
      const text = `an image could not be pulled in advance; it is tried again, and nothing waits for it: ${message}`;
      if (daemonSet) tell(daemonSet, { type: 'Warning', reason: 'PrePullFailed', message: text });
    },
    monotonicNow: parts.monotonicNow,
  });

  const loop = startLevelLoop({
    pass: async () => {
      // Told between one look and the next: a node that is granted something and has not heard of it yet would
      // pass for one that is where it should be.
      for (const [uid, at] of due) if (at <= parts.monotonicNow()) dirtySets.add(uid);
      do {
        await passSets();
        await commit(settleOrphans(store, fleet, grants, tellNodes()));
        prePulls.goOn();
      } while (dirtySets.size > 0);
      await dropSnapshots();
      dropBodies();
      if (due.size === 0) return {};
      return { againInMs: Math.max(10, Math.min(...due.values()) - parts.monotonicNow()) };
    },
    schedule,
    onFailure: (error, retryInMs) => {
      // What the failed pass had taken is looked at again.
      touchEverySet();
      touchAllNodes();
      parts.onFailure(error, retryInMs);
    },
  });

  const watches = followStore(store, {
    set: (uid) => dirtySets.add(uid),
    node: (name) => dirtyNodes.add(name),
    allSets: touchAllSets,
    setsIn: (namespace) => {
      for (const { metadata } of allSets())
        if (metadata.namespace === namespace) dirtySets.add(metadata.uid ?? '');
    },
    allNodes: touchAllNodes,
    told: (object) => [tellers.of(object), [...rollers.of(object), ...pullers.of(object)]],
    revisions: () => {
      revisionsChanged = true;
      revisionsKnown = undefined;
    },
    wake: () => loop.wake(),
  });
  touchEverySet();
  touchAllNodes();
  loop.wake();

  return {
    touchNode: (name) => {
      dirtyNodes.add(name);
      for (const uid of views.changedBy(name)) dirtySets.add(uid);
      // What is being deleted has no views any more.
      for (const { value } of store.list('apps/daemonsets')) {
        const { metadata } = value as unknown as StoredSet;
        if (metadata.deletionTimestamp) dirtySets.add(metadata.uid ?? '');
      }
      loop.wake();
    },
    planOf: (uid) => plans.get(uid),
    prePulls,
    stop: async () => {
      prePulls.stop();
      views.close();
      watches.close();
      await loop.stop();
    },
  };
}

const runsAlready = (fleet: Fleet, uid: string, node: string, revision: string): boolean =>
  fleet
    .get(node)
    ?.podsBySet.get(uid)
    ?.some((pod) => pod.revision === revision) ?? false;
