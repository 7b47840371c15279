// Empties namespaces that are being deleted, says what is left of them, and removes them when nothing is, pods included.
import { sameJson } from '@fleetset/scheduler-core/canonical-json';
import { startLevelLoop } from '@fleetset/scheduler-core/level-loop';
import type { ObjectMeta } from '@fleetset/scheduler-core/schema/meta';
import type { Namespace } from '@fleetset/scheduler-core/schema/plain';
import { ApiError } from '../api/api-error.ts';
import { isHeld } from '../api/object-deletion.ts';
import type { Objects } from '../api/objects.ts';
import { dropOrphaned, orphanedSets } from '../fleet/orphans.ts';
import { collectionOf, type Kind, type KubeObject } from '../kinds/kind.ts';
import type { Store, Watch, Write } from '../store/store.ts';
import { schedule } from '../timer.ts';
import { type Remains, remainsOf, withRemains } from './namespace-conditions.ts';

const NAMESPACES = 'core/namespaces';
/** The finalizer of a namespace's spec. */
const CONTENTS = 'kubernetes';

type TerminatingNamespace = Namespace & KubeObject;
interface Content {
  readonly kind: Kind;
  readonly object: KubeObject;
}

export interface NamespaceLoopParts {
  readonly store: Store;
  readonly objects: Objects;
  readonly kinds: readonly Kind[];
  readonly nowText: () => string;
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
        const namespace = value as unknown as TerminatingNamespace;
        if (!namespace.metadata.deletionTimestamp) continue;
        await endOrphans(store, id);
        const remains = remainsOf(await emptied(parts, contents, id));
        const next = nextOf(namespace, remains, parts.nowText());
        const write: Write = { collection: NAMESPACES, id, expect: version, durable: true };
        if (!isHeld(next)) await store.commit([write]);
        else if (!sameJson(next, namespace)) await store.commit([{ ...write, value: next }]);
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

/** What the status is to say, and without the finalizer that stands for what is in it once that is gone. */
function nextOf(namespace: TerminatingNamespace, remains: Remains, nowText: string): KubeObject {
  const { status, spec } = namespace;
  const conditions = withRemains(status?.conditions, remains, nowText);
  const held = (spec?.finalizers ?? []).filter((finalizer) => remains.count > 0 || finalizer !== CONTENTS);
  return {
    ...namespace,
    spec: held.length > 0 ? { finalizers: held } : {},
    status: { ...status, conditions },
  };
}

/** Answers with what is left. Pods leave by themselves once their DaemonSets are gone. */
async function emptied(
  { store, objects }: NamespaceLoopParts,
  kinds: readonly Kind[],
  namespace: string,
): Promise<Content[]> {
  const left: Content[] = [];
  for (const kind of kinds) {
    for (const { value } of [...store.list(collectionOf(kind))]) {
      const object = value as unknown as KubeObject;
      if (object.metadata.namespace !== namespace) continue;
      const leaves = kind.kind !== 'Pod' && !object.metadata.deletionTimestamp;
      if (!leaves || !(await isRemoved(objects, kind, object.metadata))) left.push({ kind, object });
    }
  }
  return left;
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
