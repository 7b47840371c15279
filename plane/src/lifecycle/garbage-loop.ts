// Removes what belongs only to objects that are no more, and lets those go that only wait for what belongs to them.
import { startLevelLoop } from '@fleetset/scheduler-core/level-loop';
import { ApiError } from '../api/api-error.ts';
import type { Objects } from '../api/objects.ts';
import { isNodeLease } from '../fleet/node-leases.ts';
import {
  blocking,
  DEPENDENT_KINDS,
  type Dependent,
  dependentsOf,
  FOREGROUND,
  ownedObjects,
  ownerStanding,
  waitsForDependents,
} from '../kinds/dependents.ts';
import { collectionOf, type KubeObject } from '../kinds/kind.ts';
import { SERVED_KINDS } from '../kinds/served-kinds.ts';
import type { Change, Store } from '../store/store.ts';
import { schedule } from '../timer.ts';

export interface GarbageLoopParts {
  readonly store: Store;
  readonly objects: Objects;
  readonly onFailure: (error: unknown, retryInMs: number) => void;
}

export function startGarbageLoop(parts: GarbageLoopParts): { readonly stop: () => Promise<void> } {
  const { store } = parts;
  const loop = startLevelLoop({
    pass: async () => {
      for (const dependent of [...ownedObjects(store)]) await removeIfUnowned(parts, dependent);
      for (const waiting of waitingOwners(store)) await releaseIfAlone(parts, waiting);
      return {};
    },
    schedule,
    onFailure: parts.onFailure,
  });
  const watches = SERVED_KINDS.filter(({ kind }) => kind !== 'Event').map((kind) => {
    const mayDepend = DEPENDENT_KINDS.includes(kind);
    return store.watch(collectionOf(kind), store.version(), (change) => {
      if (matters(change, mayDepend)) loop.wake();
    });
  });
  loop.wake();
  return {
    stop: async () => {
      for (const watch of watches) if (watch !== 'expired') watch.close();
      await loop.stop();
    },
  };
}

/** Something went that may have owned others, or waits for them, or has an owner and is looked after here. */
function matters({ value }: Change, mayDepend: boolean): boolean {
  if (value === undefined) return true;
  const object = value as unknown as KubeObject;
  if (isNodeLease(object)) return waitsForDependents(object);
  return (mayDepend && Boolean(object.metadata.ownerReferences?.length)) || waitsForDependents(object);
}

async function removeIfUnowned({ store, objects }: GarbageLoopParts, dependent: Dependent): Promise<void> {
  const { kind, object } = dependent;
  const { metadata } = object;
  if (metadata.deletionTimestamp) return;
  const standings = (metadata.ownerReferences ?? []).map((owner) =>
    ownerStanding(store, metadata.namespace, owner),
  );
  if (standings.includes('there')) return;
  const options = {
    dryRun: false,
    propagation: standings.includes('going') ? 'Foreground' : 'Background',
    // Who was taken over, or made anew, meanwhile, stays.
    preconditions: preconditionsOf(object),
  } as const;
  await unlessGone(() => objects.remove(kind, metadata.namespace, metadata.name ?? '', options));
}

const preconditionsOf = ({ metadata }: KubeObject) => ({
  ...(metadata.uid ? { uid: metadata.uid } : {}),
  ...(metadata.resourceVersion ? { resourceVersion: metadata.resourceVersion } : {}),
});

/** A DaemonSet's waiting is ended by its rollout. */
function* waitingOwners(store: Store): Iterable<Dependent> {
  for (const kind of DEPENDENT_KINDS)
    for (const { value } of kind.kind === 'DaemonSet' ? [] : [...store.list(collectionOf(kind))]) {
      const object = value as unknown as KubeObject;
      if (waitsForDependents(object)) yield { kind, object };
    }
}

async function releaseIfAlone(
  { store, objects }: GarbageLoopParts,
  { kind, object }: Dependent,
): Promise<void> {
  const { name = '', namespace, uid } = object.metadata;
  const seen = new Set([uid]);
  if (blocking(dependentsOf(store, uid), uid).some((dependent) => isWaitedFor(store, dependent, seen)))
    return;
  await unlessGone(() =>
    objects.update(
      kind,
      namespace,
      name,
      ({ metadata: { resourceVersion: _, ...metadata }, ...rest }) => ({
        ...rest,
        metadata: { ...metadata, finalizers: metadata.finalizers?.filter((one) => one !== FOREGROUND) ?? [] },
      }),
      { dryRun: false, fieldValidation: 'Ignore' },
    ),
  );
}

/** Those that wait for one another are waited for by nobody: each would for ever. `seen`: those on the way. */
function isWaitedFor(store: Store, { object }: Dependent, seen: Set<string | undefined>): boolean {
  const { uid } = object.metadata;
  if (seen.has(uid)) return false;
  seen.add(uid);
  if (!waitsForDependents(object)) return true;
  const next = blocking(dependentsOf(store, uid), uid);
  return next.length === 0 || next.some((dependent) => isWaitedFor(store, dependent, seen));
}

/** It went, or changed, meanwhile: the change has woken the loop. */
async function unlessGone(run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof ApiError && (error.code === 404 || error.code === 409))) throw error;
  }
}
