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

/** `daemonSet` is absent when the node was told of it no more. `ended`: uids whose end is decided for good, with why. */
export function choosePods(
  daemonSet: NodeDaemonSet | undefined,
  decision: PlacementDecision,
  records: readonly PodRecord[],
  progressOf: (uid: string) => PodProgress,
  ended: ReadonlyMap<string, string>,
): Choice {
  const sorted = [...records].sort(oldestFirst);
  if (!daemonSet) return stopAll(sorted, 'its DaemonSet was deleted');
  if (decision === 'Leave') return stopAll(sorted, 'the DaemonSet does not belong on this node');
  const live = sorted.filter(({ uid }) => !ended.has(uid));
  const stopping = sorted.flatMap((record): PodChoice[] => {
    const reason = ended.get(record.uid);
    return reason === undefined ? [] : [{ record, bucket: 'stop', reason }];
  });
  const rest =
    decision === 'Keep'
      ? keepOne(live, progressOf, 'no new pod is wanted here, it may stay')
      : replaceAsGranted(daemonSet, live, progressOf);
  return { ...rest, pods: oneAtATime([...stopping, ...rest.pods], progressOf) };
}

/** Whatever was chosen, nothing is started while another pod of the DaemonSet still runs. */
function oneAtATime(pods: readonly PodChoice[], progressOf: (uid: string) => PodProgress): PodChoice[] {
  const running = pods.filter(({ record }) => progressOf(record.uid).running);
  return pods.map((choice) =>
    choice.bucket === 'run' && running.some(({ record }) => record.uid !== choice.record.uid)
      ? { ...choice, bucket: 'prepare', reason: 'waits until the pod before it has stopped' }
      : choice,
  );
}

const stopAll = (records: readonly PodRecord[], reason: string): Choice => ({
  pods: records.map((record) => ({ record, bucket: 'stop', reason })),
});

/** Of several: the oldest that runs (rule 17), else the last that ever did: the others were being replaced. */
const theOne = (
  records: readonly PodRecord[],
  progressOf: (uid: string) => PodProgress,
): PodRecord | undefined =>
  records.find(({ uid }) => progressOf(uid).running) ??
  records.findLast(({ uid }) => progressOf(uid).started) ??
  records[0];

const STAYS = 'it stays until its replacement is prepared';

/** No new pod, and no replacement either. */
function keepOne(
  live: readonly PodRecord[],
  progressOf: (uid: string) => PodProgress,
  reason: string,
): Choice {
  const kept = theOne(live, progressOf);
  return { pods: live.map((record) => runOrStop(record, record === kept, reason)) };
}

const runOrStop = (record: PodRecord, run: boolean, reason: string): PodChoice =>
  run
    ? { record, bucket: 'run', reason }
    : { record, bucket: 'stop', reason: 'another pod of its DaemonSet runs here' };

function replaceAsGranted(
  { granted }: NodeDaemonSet,
  live: readonly PodRecord[],
  progressOf: (uid: string) => PodProgress,
): Choice {
  if (!granted) return keepOne(live, progressOf, 'nothing is granted to this node: what runs may stay');
  const current = live.filter((record) => isOf(record, granted));
  const outdated = live.filter((record) => !isOf(record, granted));
  const target = theOne(current, progressOf);
  const duplicates = current
    .filter((record) => record !== target)
    .map((record) => runOrStop(record, false, ''));
  if (!target) {
    return {
      ...keepOne(outdated, progressOf, STAYS),
      bear: outdated.length > 0 ? `revision ${granted.revision} replaces it` : 'the node has no pod',
    };
  }
  const { prepared, started } = progressOf(target.uid);
  if (outdated.length > 0 && !prepared && !started)
    return {
      pods: [
        ...keepOne(outdated, progressOf, STAYS).pods,
        ...duplicates,
        { record: target, bucket: 'prepare', reason: 'prepared before the old pod is stopped' },
      ],
    };
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
      { record: target, bucket: 'run', reason: 'granted to this node' },
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
