// The loop that paces: wakes on changes of DaemonSets, nodes, reports and deletions; writes history, grants and
// status; then tells each touched node what it is to do now.
import type { ApiEndpoint, Held } from '@fleetset/proto/gen/fleetset/v1/node';
import { startLevelLoop } from '@fleetset/scheduler-core/level-loop';
import type { Node } from '@fleetset/scheduler-core/schema/node';
import type { EventRecorder } from '../events/event-recorder.ts';
import type { Fleet, RulesTold } from '../fleet/fleet.ts';
import { adoptedBy, podsOfSet } from '../fleet/orphans.ts';
import { followTombstones } from '../fleet/tombstones.ts';
import type { Store } from '../store/store.ts';
import { schedule } from '../timer.ts';
import { belongsOn } from './belongs.ts';
import type { BodyBook } from './body-book.ts';
import { createConfigIndex } from './config-index.ts';
import type { ConfigSnapshots } from './config-snapshots.ts';
import type { SetPlan } from './daemon-set-pass.ts';
import { accountsOfPods, desiredFor, objectsTold } from './desired-state.ts';
import { followStore } from './follow-store.ts';
import type { GrantBook } from './grants.ts';
import { loginOf, neededImages, pullObjects } from './needed-images.ts';
import { createNodeViews } from './node-views.ts';
import { settleOrphans } from './orphaning.ts';
import { rulesBySet } from './placement-rules.ts';
import { createPrePulls, type PrePulls } from './pre-pulls.ts';
import { NO_REVISIONS, type Revisions, readRevisions } from './revision-index.ts';
import type { RolloutRecords } from './rollout-records.ts';
import { createSendAhead } from './send-bodies.ts';
import { createSetPasses } from './set-passes.ts';
import type { StoredSet } from './stored-set.ts';
import { createBodySweep, tellNode } from './tell-node.ts';
import { tellOfSets } from './tell-of-sets.ts';
import { createUnheardGrants } from './unheard-grants.ts';

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
  /** This node has just connected, and says what it was told last. */
  readonly connected: (name: string, held: Held | undefined) => void;
  /** This node reported, connected or left: its DaemonSets and what it is told are looked at again. */
  readonly touchNode: (name: string) => void;
  /** The last plan of a DaemonSet, for people. */
  readonly planOf: (daemonSetUid: string) => SetPlan | undefined;
  readonly prePulls: Pick<PrePulls, 'heard' | 'statusOf'>;
  readonly stop: () => Promise<void>;
}

export function startRolloutLoop(parts: RolloutLoopParts): RolloutLoop {
  const { store, fleet, bodies, grants } = parts;
  const dirtySets = new Set<string>();
  const dirtyNodes = new Set<string>();
  const views = createNodeViews(parts);
  const tell = tellOfSets(parts.recorder);
  /** Nodes by the ConfigMaps, Secrets and ServiceAccounts they are told of. */
  const tellers = createConfigIndex();
  const tombstonesOf = followTombstones(store);
  const dropBodies = createBodySweep(bodies, fleet);
  const unheard = createUnheardGrants(store, grants);
  let revisionsChanged = true;
  /** Until one is written. */
  let revisionsKnown: Revisions | undefined;

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

  const dropSnapshots = async () => {
    if (!revisionsChanged) return;
    revisionsChanged = false;
    const dropped = parts.snapshots.sweep();
    if (dropped.length > 0) await store.commit(dropped);
  };

  let rulesKnown: { readonly version: number; readonly rules: RulesTold } | undefined;
  const rulesNow = (): RulesTold => {
    const version = store.version();
    if (rulesKnown?.version !== version) rulesKnown = { version, rules: rulesBySet(store) };
    return rulesKnown.rules;
  };

  const tellNodes = () => {
    const names = [...dirtyNodes].filter((name) => !unheard.isOpen(name));
    for (const name of names) dirtyNodes.delete(name);
    const { byHash } = revisionsNow();
    const inputs = {
      store,
      fleet,
      bodies,
      grants,
      snapshots: parts.snapshots,
      tombstonesOf,
      api: parts.api(),
      holdsConfig: ({ metadata }: StoredSet) => passes.holdsConfig(metadata.uid ?? ''),
      revisionsOf: (uid: string) => byHash.get(uid) ?? NO_REVISIONS,
    };
    const rules = rulesNow();
    const sendAhead = createSendAhead(bodies);
    for (const name of names) {
      const node = store.get('core/nodes', name)?.value as unknown as Node | undefined;
      const state = fleet.get(name);
      const desired = node && state?.session ? desiredFor(inputs, node) : undefined;
      tellers.set(name, desired ? objectsTold(desired, accountsOfPods(inputs, name)) : []);
      if (desired && state) tellNode(fleet, sendAhead, state, desired, rules, store.epoch);
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

  const passes = createSetPasses({
    ...parts,
    views,
    prePulls,
    tell,
    revisions: revisionsNow,
    pullObjectsOf: (uid, revision) => pullObjects(pullInputs(), uid, revision),
    again: {
      set: (uid) => dirtySets.add(uid),
      node: (name) => dirtyNodes.add(name),
      allNodes: touchAllNodes,
    },
  });

  const passSets = async () => {
    const uids = [...dirtySets];
    dirtySets.clear();
    await passes.pass(uids);
  };

  const loop = startLevelLoop({
    pass: async () => {
      // Told between one look and the next: a node that is granted something and has not heard of it yet would
      // pass for one that is where it should be.
      for (const uid of passes.dueAt(parts.monotonicNow())) dirtySets.add(uid);
      do {
        for (const uid of await unheard.takeBack()) dirtySets.add(uid);
        await passSets();
        const settled = settleOrphans(store, fleet, grants, tellNodes());
        if (settled.length > 0) await store.commit(settled);
        prePulls.goOn();
      } while (dirtySets.size > 0);
      await dropSnapshots();
      dropBodies();
      const nextAt = passes.nextDue();
      return nextAt === undefined ? {} : { againInMs: Math.max(10, nextAt - parts.monotonicNow()) };
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
    told: (object) => [tellers.of(object), passes.followersOf(object)],
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
    connected: unheard.connected,
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
    planOf: passes.planOf,
    prePulls,
    stop: async () => {
      prePulls.stop();
      views.close();
      watches.close();
      await loop.stop();
    },
  };
}
