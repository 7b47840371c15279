// Which pods of one DaemonSet a node runs, prepares and stops (rules 16 to 18). A replacement is prepared beside
// the pod it replaces (image there, containers created) and only then are they changed over.
import type { PlacementDecision } from '../placement.ts';
import type { NodeDaemonSet, PodRecord } from './pod-record.ts';

export type PodBucket = 'run' | 'prepare' | 'stop';

export interface PodChoice {
  readonly record: PodRecord;
  readonly bucket: PodBucket;
  readonly reason: string;
}

/** What the choice needs to know of each pod's containers. */
export interface PodProgress {
  /** Some container has been started at some time. */
  readonly started: boolean;
  /** Some container runs, or is being started. */
  readonly running: boolean;
  /** Every container has been created. */
  readonly prepared: boolean;
}

export interface Choice {
  readonly pods: readonly PodChoice[];
  /** A pod of the granted revision has to be made, because. */
  readonly bear?: string;
}

/** `daemonSet` is absent when the node was told of it no more. `deleted`: uids that somebody deleted. */
export function choosePods(
  daemonSet: NodeDaemonSet | undefined,
  decision: PlacementDecision,
  records: readonly PodRecord[],
  progressOf: (uid: string) => PodProgress,
  deleted: ReadonlySet<string>,
): Choice {
  const sorted = [...records].sort(oldestFirst);
  if (!daemonSet) return stopAll(sorted, 'its DaemonSet was deleted');
  if (decision === 'Leave') return stopAll(sorted, 'the DaemonSet does not belong on this node');
  const gone = sorted.filter(({ uid }) => deleted.has(uid));
  const live = sorted.filter(({ uid }) => !deleted.has(uid));
  const stopping = gone.map((record): PodChoice => ({ record, bucket: 'stop', reason: 'it was deleted' }));
  const rest =
    decision === 'Keep' ? keepOne(live, progressOf) : replaceAsGranted(daemonSet, live, gone, progressOf);
  return { ...rest, pods: [...stopping, ...rest.pods] };
}

const stopAll = (records: readonly PodRecord[], reason: string): Choice => ({
  pods: records.map((record) => ({ record, bucket: 'stop', reason })),
});

/** No new pod, and no replacement either; of several the oldest that ever started stays. */
function keepOne(live: readonly PodRecord[], progressOf: (uid: string) => PodProgress): Choice {
  const kept = live.find(({ uid }) => progressOf(uid).started) ?? live[0];
  return {
    pods: live.map((record) => runOrStop(record, record === kept, 'no new pod is wanted here, it may stay')),
  };
}

const runOrStop = (record: PodRecord, run: boolean, reason: string): PodChoice =>
  run
    ? { record, bucket: 'run', reason }
    : { record, bucket: 'stop', reason: 'another pod of its DaemonSet runs here' };

function replaceAsGranted(
  { granted }: NodeDaemonSet,
  live: readonly PodRecord[],
  gone: readonly PodRecord[],
  progressOf: (uid: string) => PodProgress,
): Choice {
  if (!granted) return keepOne(live, progressOf);
  const current = live.filter((record) => isOf(record, granted));
  const outdated = live.filter((record) => !isOf(record, granted));
  const target = current.find(({ uid }) => progressOf(uid).started) ?? current[0];
  const extra = current.filter((record) => record !== target);
  const duplicates = extra.map((record) => runOrStop(record, false, ''));
  if (!target) {
    const stay = keepOne(outdated, progressOf);
    return {
      ...stay,
      bear: outdated.length > 0 ? `revision ${granted.revision} replaces it` : 'the node has no pod',
    };
  }
  const { prepared, started } = progressOf(target.uid);
  if (outdated.length > 0 && !prepared && !started)
    return {
      pods: [
        ...keepOne(outdated, progressOf).pods,
        ...duplicates,
        { record: target, bucket: 'prepare', reason: 'prepared before the old pod is stopped' },
      ],
    };
  const before = [...outdated, ...gone, ...extra];
  const blocked = before.some(({ uid }) => progressOf(uid).running);
  return {
    pods: [
      ...outdated.map(
        (record): PodChoice => ({
          record,
          bucket: 'stop',
          reason: `revision ${granted.revision} replaces it`,
        }),
      ),
      ...duplicates,
      blocked
        ? { record: target, bucket: 'prepare', reason: 'waits until the pod before it has stopped' }
        : { record: target, bucket: 'run', reason: 'granted to this node' },
    ],
  };
}

/** The template counts too: a revision's name alone could mean another template after a restore. */
const isOf = (
  record: PodRecord,
  granted: { readonly revision: string; readonly templateHash: string },
): boolean => record.revision === granted.revision && record.templateHash === granted.templateHash;

const oldestFirst = (a: PodRecord, b: PodRecord): number =>
  a.createdAt < b.createdAt ? -1 : a.createdAt > b.createdAt ? 1 : a.name < b.name ? -1 : 1;
