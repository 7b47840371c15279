// Empties namespaces that are being deleted, and removes them when nothing of them is left, pods included.
import { startLevelLoop } from '@fleetset/scheduler-core/level-loop';
import type { ObjectMeta } from '@fleetset/scheduler-core/schema/meta';
import { ApiError } from '../api/api-error.ts';
import type { Objects } from '../api/objects.ts';
import { dropOrphaned, orphanedSets } from '../fleet/orphans.ts';
import { collectionOf, type Kind, type KubeObject } from '../kinds/kind.ts';
import type { Store, Watch } from '../store/store.ts';
import { schedule } from '../timer.ts';

const NAMESPACES = 'core/namespaces';

export interface NamespaceLoopParts {
  readonly store: Store;
  readonly objects: Objects;
  readonly kinds: readonly Kind[];
  readonly onFailure: (error: unknown, retryInMs: number) => void;
}

export interface NamespaceLoop {
  readonly stop: () => Promise<void>;
}

export function startNamespaceLoop(parts: NamespaceLoopParts): NamespaceLoop {
  const { store } = parts;
  const contents = parts.kinds.filter(({ namespaced }) => namespaced);
  const loop = startLevelLoop({
    pass: async () => {
      for (const { id, version, value } of [...store.list(NAMESPACES)]) {
        const namespace = value as unknown as KubeObject;
        if (!namespace.metadata.deletionTimestamp) continue;
        await endOrphans(store, id);
        const empty = await emptied(parts, contents, id);
        if (empty && !namespace.metadata.finalizers?.length)
          await store.commit([{ collection: NAMESPACES, id, expect: version, durable: true }]);
      }
      return {};
    },
    schedule,
    onFailure: parts.onFailure,
  });
  const isTerminating = (namespace: string): boolean =>
    Boolean((store.get(NAMESPACES, namespace)?.value as KubeObject | undefined)?.metadata.deletionTimestamp);
  const watches: (Watch | 'expired')[] = [
    store.watch(NAMESPACES, store.version(), () => loop.wake()),
    ...contents.map((kind) =>
      store.watch(collectionOf(kind), store.version(), ({ id }) => {
        if (isTerminating(id.slice(0, id.indexOf('/')))) loop.wake();
      }),
    ),
  ];
  loop.wake();
  return {
    stop: async () => {
      for (const watch of watches) if (watch !== 'expired') watch.close();
      await loop.stop();
    },
  };
}

/** Pods that were left behind in it go with it. */
async function endOrphans(store: Store, namespace: string): Promise<void> {
  const sets = orphanedSets(store).filter((set) => set.namespace === namespace);
  if (sets.length > 0) await store.commit(sets.map(({ uid }) => dropOrphaned(uid)));
}

/** True when nothing is left. Pods leave by themselves once their DaemonSets are gone. */
async function emptied(
  { store, objects }: NamespaceLoopParts,
  kinds: readonly Kind[],
  namespace: string,
): Promise<boolean> {
  let left = 0;
  for (const kind of kinds) {
    for (const { value } of [...store.list(collectionOf(kind))]) {
      const { metadata } = value as unknown as KubeObject;
      if (metadata.namespace !== namespace) continue;
      const leaves = kind.kind !== 'Pod' && !metadata.deletionTimestamp;
      if (!leaves || !(await isRemoved(objects, kind, metadata))) left += 1;
    }
  }
  return left === 0;
}

/** Also true when it went by itself meanwhile, as the history of a DaemonSet does. */
async function isRemoved(
  objects: Objects,
  kind: Kind,
  { namespace, name = '' }: ObjectMeta,
): Promise<boolean> {
  try {
    const options = { dryRun: false, propagation: 'Background' } as const;
    return (await objects.remove(kind, namespace, name, options)).gone;
  } catch (error) {
    if (error instanceof ApiError && error.code === 404) return true;
    throw error;
  }
}
