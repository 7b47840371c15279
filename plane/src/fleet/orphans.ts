// DaemonSets that were deleted without their pods (rules 22 and 63): what is known of each for as long as some node may
// run a pod of it, and which DaemonSet took the pods over.
import type { PodReport } from '@fleetset/proto/gen/fleetset/v1/node';
import type { Labels } from '@fleetset/scheduler-core/label-selector';
import type { Store, Write } from '../store/store.ts';
import { type NodeState, oldestFirst } from './fleet.ts';

export const ORPHANS = 'fleetset/orphans';

export interface OrphanedSet {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** Of its pods, by the revision they were made from. */
  readonly labels: { readonly [revision: string]: Labels };
  /** Whose the pods are now. */
  readonly adopter?: { readonly uid: string; readonly name: string };
  /** Whose they were last, when that was deleted without them too: this is known as long as that is, and goes where that
   *  goes. Containers name who made them, and a node that lost its book goes by them. */
  readonly formerOwner?: string;
}

export const orphanedSet = (store: Store, uid: string): OrphanedSet | undefined =>
  store.get(ORPHANS, uid)?.value as unknown as OrphanedSet | undefined;

export const orphanedSets = (store: Store): OrphanedSet[] =>
  [...store.list(ORPHANS)].map(({ value }) => value as unknown as OrphanedSet);

/** Uids of the sets whose pods are the ones of `adopterUid`, in order. */
export function adoptedBy(store: Store, adopterUid: string): string[] {
  const uids: string[] = [];
  for (const { value } of store.list(ORPHANS)) {
    const { uid, adopter } = value as unknown as OrphanedSet;
    if (adopter?.uid === adopterUid) uids.push(uid);
  }
  return uids.sort();
}

/** It went through several hands, and the last of them is known. */
export const isPartOfAnother = (store: Store, { formerOwner }: OrphanedSet): boolean =>
  formerOwner !== undefined && orphanedSet(store, formerOwner) !== undefined;

/** Expects what is there now, so that of two who write it one looks again. */
export const putOrphaned = (store: Store, set: OrphanedSet): Write => ({
  collection: ORPHANS,
  id: set.uid,
  value: { ...set },
  expect: store.get(ORPHANS, set.uid)?.version ?? 'absent',
  durable: true,
});

export const dropOrphaned = (uid: string): Write => ({ collection: ORPHANS, id: uid, durable: true });

/** A node's pods of a DaemonSet, those it took over among them, oldest first. */
export function podsOfSet(
  { podsBySet }: Pick<NodeState, 'podsBySet'>,
  uid: string,
  adopted: readonly string[],
): readonly PodReport[] {
  const own = podsBySet.get(uid) ?? [];
  const others = adopted.flatMap((one) => podsBySet.get(one) ?? []);
  return others.length === 0 ? own : [...own, ...others].sort(oldestFirst);
}
