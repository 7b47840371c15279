// How pods, history and grants of a DaemonSet outlive it (rules 22 and 63): it is deleted without them, another takes
// them over, and in the end they are gone from every node.
import { matchesSelector } from '@fleetset/scheduler-core/label-selector';
import { REVISION_LABEL, revisionHash } from '@fleetset/scheduler-core/revision-history';
import { type Fleet, isBehind, isConnected, type NodeState } from '../fleet/fleet.ts';
import {
  adoptedBy,
  dropOrphaned,
  isPartOfAnother,
  type OrphanedSet,
  orphanedSet,
  orphanedSets,
  podsOfSet,
  putOrphaned,
} from '../fleet/orphans.ts';
import type { KubeObject } from '../kinds/kind.ts';
import type { Store, Write } from '../store/store.ts';
import { dropGrant, type GrantBook, grantedRevisions, putGrant } from './grants.ts';
import { putRecord, type RolloutRecords } from './rollout-records.ts';
import type { StoredRevision, StoredSet } from './stored-set.ts';

const REVISIONS = 'apps/controllerrevisions';
const PODS = 'core/pods';

/** Written together with the end of a DaemonSet that leaves its pods behind: from then on they are nobody's. */
export function orphan(store: Store, { metadata }: KubeObject): Write[] {
  const { uid = '', namespace = '', name = '' } = metadata;
  if (orphanedSet(store, uid)) return [];
  const [revisions, pods] = [owned(store, REVISIONS, uid), owned(store, PODS, uid)];
  const used = new Set([
    ...grantedRevisions(store, uid),
    ...pods.map(({ value }) => value.metadata.labels?.[REVISION_LABEL]),
  ]);
  const labels = Object.fromEntries(
    revisions
      .map(
        ({ value }) =>
          [revisionHash(value as unknown as StoredRevision), value.metadata.labels ?? {}] as const,
      )
      .filter(([hash]) => used.has(hash)),
  );
  return [
    putOrphaned(store, { uid, namespace, name, labels }),
    // What it had taken over itself is nobody's again too.
    ...adoptedBy(store, uid).flatMap((earlier) => {
      const { adopter: _gone, ...rest } = orphanedSet(store, earlier) as OrphanedSet;
      return putOrphaned(store, { ...rest, formerOwner: uid });
    }),
    ...revisions.map((one) => withoutOwner(REVISIONS, one, uid)),
    ...pods.map((one) => withoutOwner(PODS, one, uid)),
  ];
}

interface Found {
  readonly id: string;
  readonly version: number;
  readonly value: KubeObject;
}

const owned = (store: Store, collection: string, uid: string): Found[] =>
  [...store.list(collection)]
    .map((stored) => stored as unknown as Found)
    .filter(({ value }) => value.metadata.ownerReferences?.some((owner) => owner.uid === uid));

function withoutOwner(collection: string, { id, version, value }: Found, uid: string): Write {
  const { ownerReferences = [], ...metadata } = value.metadata;
  const others = ownerReferences.filter((owner) => owner.uid !== uid);
  return {
    collection,
    id,
    value: {
      ...value,
      metadata: { ...metadata, ...(others.length > 0 ? { ownerReferences: others } : {}) },
    },
    expect: version,
    durable: collection === REVISIONS,
  };
}

/**
 * What this DaemonSet takes over now: pods and revisions that are nobody's and match its selector, with the grants
 * under which the pods run. None of it if the DaemonSet is changed or deleted meanwhile: it expects it as it is.
 */
export function adopt(
  store: Store,
  fleet: Fleet,
  grants: GrantBook,
  records: RolloutRecords,
  daemonSet: StoredSet,
  revisions: readonly StoredRevision[],
): Write[] {
  const { uid = '', namespace = '', name = '' } = daemonSet.metadata;
  const { selector } = daemonSet.spec ?? {};
  const sets = leftBehind(store, daemonSet);
  const found = ownerless(store, namespace).filter(({ value }) =>
    matchesSelector(selector, value.metadata.labels ?? {}),
  );
  if (sets.length === 0 && found.length === 0) return [];
  const hashes = new Set(
    [...revisions, ...found.map(({ value }) => value as unknown as StoredRevision)].map(revisionHash),
  );
  return [
    ...sets.map((set) => putOrphaned(store, { ...set, adopter: { uid, name } })),
    ...found.map((one) => withOwner(one, daemonSet)),
    // Of two for one node the one of its last owner counts, which comes last.
    ...sets.toReversed().flatMap((set) => inheritedGrants(store, fleet, grants, set.uid, uid, hashes)),
    ...inheritedRecord(records, sets, uid),
    ...asItIs(store, daemonSet),
  ];
}

/** Those that are nobody's and match; each before those that it had taken over itself, which come with it. */
function leftBehind(store: Store, { metadata, spec }: StoredSet): OrphanedSet[] {
  const nobodys = orphanedSets(store).filter((set) => set.namespace === metadata.namespace && !set.adopter);
  const last = nobodys.filter(
    (set) =>
      !isPartOfAnother(store, set) &&
      Object.values(set.labels).every((labels) => matchesSelector(spec?.selector, labels)),
  );
  const taken = new Set(last.map(({ uid }) => uid));
  return [...last, ...nobodys.filter(({ formerOwner }) => taken.has(formerOwner ?? ''))];
}

const ownerless = (store: Store, namespace: string): Found[] =>
  [...store.list(REVISIONS)]
    .map((stored) => stored as unknown as Found)
    .filter(
      ({ value: { metadata } }) =>
        metadata.namespace === namespace &&
        !metadata.deletionTimestamp &&
        !metadata.ownerReferences?.some(({ controller }) => controller),
    );

function withOwner({ id, version, value }: Found, { metadata }: StoredSet): Write {
  const { uid = '', name = '' } = metadata;
  const owner = {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    name,
    uid,
    controller: true,
    blockOwnerDeletion: true,
  };
  const ownerReferences = [...(value.metadata.ownerReferences ?? []), owner];
  const adopted = { ...value, metadata: { ...value.metadata, ownerReferences } };
  return { collection: REVISIONS, id, value: adopted, expect: version, durable: true };
}

/**
 * What ran under a grant runs on under one: what differs from the template is outdated, not new. A node that was on its
 * way when its pods became nobody's may have stayed where it was: then it is granted what it runs.
 */
function inheritedGrants(
  store: Store,
  fleet: Fleet,
  grants: GrantBook,
  from: string,
  to: string,
  hashes: ReadonlySet<string>,
): Write[] {
  const own = grants.of(to);
  const earlier = adoptedBy(store, from);
  return [...grants.of(from)].flatMap(([node, granted]) => {
    const revision = staysWith(fleet.get(node), from, earlier, granted);
    if (!hashes.has(revision) || own.has(node)) return [];
    return [putGrant(store, to, node, revision, revision === granted && grants.isSurge(from, node), from)];
  });
}

/** What a node that was granted this goes on with. Who is not heard may still go where it was sent. */
function staysWith(
  state: NodeState | undefined,
  uid: string,
  earlier: readonly string[],
  granted: string,
): string {
  if (!state || !hasAnswered(state)) return granted;
  const live = podsOfSet(state, uid, earlier).filter(({ terminating }) => !terminating);
  const [first] = live;
  return !first || live.some(({ revision }) => revision === granted) ? granted : first.revision;
}

/** To all that it was told. */
const hasAnswered = (state: NodeState): boolean => isConnected(state) && !isBehind(state);

/** The last revision that all nodes had is the place to go back to, whichever DaemonSet it was. */
function inheritedRecord(records: RolloutRecords, sets: readonly OrphanedSet[], uid: string): Write[] {
  const stable = sets.map((set) => records.of(set.uid)?.stable).find((one) => one !== undefined);
  if (stable === undefined || records.of(uid)) return [];
  const begun = { newest: '', stable, phase: 'Progressing', reason: '', message: '', wave: 0 } as const;
  // What was approved of theirs is no approval of this one's.
  const attempt = Math.max(...sets.map((set) => records.of(set.uid)?.attempt ?? 0));
  return [putRecord(uid, { ...begun, failures: {}, attempt, aside: [] })];
}

function asItIs(store: Store, { metadata }: StoredSet): Write[] {
  const id = `${metadata.namespace}/${metadata.name}`;
  const stored = store.get('apps/daemonsets', id);
  const seen = Number(metadata.resourceVersion);
  return stored
    ? [{ collection: 'apps/daemonsets', id, value: stored.value, expect: seen, durable: false }]
    : [];
}

/**
 * After these nodes were told what is so: on which of them no pod is left of what was orphaned, and what of it is
 * over. A grant stands for the pod it was given for; whoever reports a pod without one gets it back, and who was told
 * to stay where it is goes nowhere when another takes it over.
 */
export function settleOrphans(
  store: Store,
  fleet: Fleet,
  grants: GrantBook,
  nodes: readonly string[],
): Write[] {
  return orphanedSets(store).flatMap((set) => {
    const { uid, adopter } = set;
    const granted = grants.of(uid);
    const left = new Set(granted.keys());
    const writes = nodes.flatMap((node): Write[] => {
      const state = fleet.get(node);
      const [pod] = state?.podsBySet.get(uid) ?? [];
      if (pod) {
        left.add(node);
        const before = granted.get(node);
        const revision = before === undefined ? pod.revision : staysWith(state, uid, [], before);
        return revision === before ? [] : [putGrant(store, uid, node, revision)];
      }
      const isClear = state !== undefined && hasAnswered(state);
      return isClear && left.delete(node) ? [dropGrant(uid, node)] : [];
    });
    const isOver = left.size === 0 && !adopter && !isPartOfAnother(store, set);
    return isOver ? [...writes, dropOrphaned(uid)] : writes;
  });
}
