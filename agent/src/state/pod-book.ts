// The pods of this node: their identities, made once and kept on disk until nothing of the pod is left. Containers
// carry the same in their labels; a pod found only there is taken in again.
import { join } from 'node:path';
import type { PodEnd } from '@fleetset/scheduler-core/node/finished-pods';
import type { PodRecord } from '@fleetset/scheduler-core/node/pod-record';
import type { ReadyMark } from '@fleetset/scheduler-core/node/ready-since';
import type { PodCondition } from '@fleetset/scheduler-core/schema/pod';
import { type Files, MACHINE_FILES, readIfThere, writeDurable } from './durable-file.ts';
import { groupedWrites } from './grouped-writes.ts';

export interface KnownPod {
  readonly record: PodRecord;
  /** As it was when it was looked at last: what is known of it after a restart of the agent. */
  readonly seen?: SeenPod;
  /** Its end was announced: it does not come back, whatever is told later. */
  readonly ending?: boolean;
  /** It has failed or succeeded, for good. */
  readonly end?: PodEnd;
  /** The snapshot of its ConfigMaps and Secrets that came with its revision: it keeps it when another is granted. */
  readonly config?: string;
}

export interface SeenPod {
  readonly phase?: string;
  readonly conditions: readonly PodCondition[];
  readonly ready?: ReadyMark;
}

export interface PodBook {
  readonly all: () => readonly KnownPod[];
  readonly get: (uid: string) => KnownPod | undefined;
  /** On disk when it resolves. */
  readonly add: (record: PodRecord, config?: string) => Promise<void>;
  /** Found on the engine but not here: known from now on, written with the next change. */
  readonly adopt: (record: PodRecord) => void;
  readonly forget: (uid: string) => Promise<void>;
  /** Written soon, not at once: worth little. */
  readonly setSeen: (uid: string, seen: SeenPod) => void;
  /** Undefined: it follows what is told. Known at once, written soon. */
  readonly setConfig: (uid: string, config: string | undefined) => void;
  /** Known at once; on disk when it resolves. */
  readonly setEnding: (uid: string) => Promise<void>;
  /** Known at once; on disk when it resolves. */
  readonly setEnd: (uid: string, end: PodEnd) => Promise<void>;
  /** It belongs to another DaemonSet from now on. Known at once; on disk when it resolves. */
  readonly setOwner: (uid: string, owner: { readonly uid: string; readonly name: string }) => Promise<void>;
  readonly flush: () => Promise<void>;
}

const LAZY_WRITE_MS = 3000;

export async function openPodBook(
  directory: string,
  onFailure: (error: unknown) => void,
  files = MACHINE_FILES,
): Promise<PodBook> {
  const path = join(directory, 'pods.json');
  const pods = new Map((await readPods(files, path, onFailure)).map((pod) => [pod.record.uid, pod]));
  const writing = groupedWrites(() => writeDurable(path, JSON.stringify([...pods.values()]), 0o600, files));
  let last = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;

  const write = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    last = writing();
    return last;
  };

  return {
    all: () => [...pods.values()],
    get: (uid) => pods.get(uid),
    add: async (record, config) => {
      pods.set(record.uid, { record, ...(config === undefined ? {} : { config }) });
      try {
        await write();
      } catch (error) {
        pods.delete(record.uid);
        throw error;
      }
    },
    adopt: (record) => {
      pods.set(record.uid, { record });
      timer ??= setTimeout(() => write().catch(onFailure), LAZY_WRITE_MS);
    },
    forget: async (uid) => {
      pods.delete(uid);
      await write();
    },
    setSeen: (uid, seen) => {
      const pod = pods.get(uid);
      if (!pod) return;
      pods.set(uid, { ...pod, seen });
      timer ??= setTimeout(() => write().catch(onFailure), LAZY_WRITE_MS);
    },
    setConfig: (uid, config) => {
      const pod = pods.get(uid);
      if (!pod || pod.config === config) return;
      const { config: _before, ...rest } = pod;
      pods.set(uid, { ...rest, ...(config === undefined ? {} : { config }) });
      timer ??= setTimeout(() => write().catch(onFailure), LAZY_WRITE_MS);
    },
    setEnding: async (uid) => {
      const pod = pods.get(uid);
      if (!pod || pod.ending) return;
      pods.set(uid, { ...pod, ending: true });
      await write();
    },
    setEnd: async (uid, end) => {
      const pod = pods.get(uid);
      if (!pod) return;
      pods.set(uid, { ...pod, end });
      await write();
    },
    setOwner: async (uid, owner) => {
      const pod = pods.get(uid);
      if (!pod) return;
      const record = { ...pod.record, daemonSetUid: owner.uid, daemonSetName: owner.name };
      pods.set(uid, { ...pod, record });
      await write();
    },
    flush: async () => {
      await (timer ? write().catch(onFailure) : last.catch(() => {}));
    },
  };
}

async function readPods(
  files: Files,
  path: string,
  onUnreadable: (error: unknown) => void,
): Promise<readonly KnownPod[]> {
  try {
    const content = await readIfThere(path, files);
    const pods: unknown = content ? JSON.parse(content.toString('utf8')) : [];
    if (!Array.isArray(pods) || !pods.every(isKnownPod)) throw new Error('pods.json does not hold pods');
    return pods;
  } catch (error) {
    // The containers' labels bring back what runs.
    onUnreadable(error);
    return [];
  }
}

const isKnownPod = (pod: Partial<KnownPod> | null): pod is KnownPod =>
  typeof pod?.record?.uid === 'string' && typeof pod.record.daemonSetUid === 'string';
