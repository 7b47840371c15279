// Which pods of one DaemonSet a node runs, prepares and stops (rules 16 to 18). A replacement is prepared beside
// the pod it replaces (image there, containers created) and only then are they changed over. Under a surge both run
// until the new one is available (rules 41 to 45).
import type { PlacementDecision } from '../placement.ts';
import type { NodeDaemonSet, PodRecord } from './pod-record.ts';

/** `over`: it has failed or succeeded; it is shown until it may be deleted. */
export type PodBucket = 'run' | 'prepare' | 'stop' | 'over';

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
  /** Every container has been created, or could be. */
  readonly prepared: boolean;
  /** Absent while nobody knows: no reason to stop it, nor to stop another for it. */
  readonly ready?: boolean;
  /** Ready for minReadySeconds. */
  readonly available: boolean;
  /** Ports of the node that it needs; only under a surge. */
  readonly hostPorts?: ReadonlySet<string>;
}

export interface Choice {
  readonly pods: readonly PodChoice[];
  /** A pod of the granted revision has to be made, because. */
  readonly bear?: string;
}

/**
 * `daemonSet` is absent when the node was told of it no more. `ended`: uids whose end is decided for good, with why.
 * `held`: why what runs here is left alone now.
 */
export function choosePods(
  daemonSet: NodeDaemonSet | undefined,
  decision: PlacementDecision,
  records: readonly PodRecord[],
  progressOf: (uid: string) => PodProgress,
  ended: ReadonlyMap<string, string>,
  held?: string,
): Choice {
  const sorted = [...records].sort(oldestFirst);
  if (!daemonSet) return stopAll(sorted, 'its DaemonSet was deleted');
  if (decision === 'Leave') return stopAll(sorted, 'the DaemonSet does not belong on this node');
  const live = sorted.filter(({ uid }) => !ended.has(uid));
  const stopping = sorted.flatMap((record): PodChoice[] => {
    const reason = ended.get(record.uid);
    return reason === undefined ? [] : [{ record, bucket: 'stop', reason }];
  });
  const keep = daemonSet.surge ? keepWhatServes : keepOne;
  const replace = daemonSet.surge ? replaceBeside : replaceAsGranted;
  const rest =
    decision === 'Keep'
      ? keep(live, progressOf, 'no new pod is wanted here, it may stay')
      : replace(daemonSet, live, progressOf, held);
  const most = daemonSet.surge ? 2 : 1;
  // Where none comes, none comes beside one that ends: also of a surge one stays.
  const toStart = decision === 'Keep' ? 1 : most;
  return { ...rest, pods: atATime({ most, toStart }, [...stopping, ...rest.pods], progressOf) };
}

/** Whatever was chosen, nothing is started while so many other pods of the DaemonSet run, those that end included. */
function atATime(
  { most, toStart }: { readonly most: number; readonly toStart: number },
  pods: readonly PodChoice[],
  progressOf: (uid: string) => PodProgress,
): PodChoice[] {
  const running = new Set(pods.map(({ record }) => record.uid).filter((uid) => progressOf(uid).running));
  return pods.map((choice) => {
    const { uid } = choice.record;
    if (choice.bucket !== 'run') return choice;
    if (running.size - Number(running.has(uid)) >= (running.has(uid) ? most : toStart))
      return { ...choice, bucket: 'prepare', reason: 'waits until the pod before it has stopped' };
    const taken = running.has(uid) ? undefined : takenPort(uid, running, progressOf);
    if (taken !== undefined)
      return {
        ...choice,
        bucket: 'prepare',
        reason: `waits for port ${taken} of the node: the pod before it has it`,
      };
    running.add(uid);
    return choice;
  });
}

/** Two cannot listen there, and whoever asks the one how it is would be answered by the other. */
function takenPort(
  uid: string,
  running: ReadonlySet<string>,
  progressOf: (uid: string) => PodProgress,
): string | undefined {
  const others = [...running].map((other) => progressOf(other).hostPorts);
  return [...(progressOf(uid).hostPorts ?? [])].find((port) => others.some((ports) => ports?.has(port)));
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

const hasBegun =
  (progressOf: (uid: string) => PodProgress) =>
  ({ uid }: PodRecord): boolean =>
    progressOf(uid).started || progressOf(uid).running;

function replaceAsGranted(
  { granted }: NodeDaemonSet,
  live: readonly PodRecord[],
  progressOf: (uid: string) => PodProgress,
  held: string | undefined,
): Choice {
  if (!granted) return keepOne(live, progressOf, 'nothing is granted to this node: what runs may stay');
  const current = live.filter((record) => isOf(record, granted));
  const outdated = live.filter((record) => !isOf(record, granted));
  const target = theOne(current, progressOf);
  // What has never run is not worth keeping; what was begun to be replaced is replaced.
  const stays = outdated.some(hasBegun(progressOf)) ? held : undefined;
  const duplicates = current
    .filter((record) => record !== target)
    .map((record) => runOrStop(record, false, ''));
  if (!target) {
    if (stays !== undefined) return keepOne(outdated, progressOf, stays);
    return {
      ...keepOne(outdated, progressOf, STAYS),
      bear: outdated.length > 0 ? `revision ${granted.revision} replaces it` : 'the node has no pod',
    };
  }
  const { prepared, started } = progressOf(target.uid);
  if (outdated.length > 0 && !started && (!prepared || stays !== undefined))
    return {
      pods: [
        ...keepOne(outdated, progressOf, stays ?? STAYS).pods,
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

const serving = (
  live: readonly PodRecord[],
  progressOf: (uid: string) => PodProgress,
): PodRecord | undefined =>
  live.find(({ uid }) => progressOf(uid).available) ??
  live.find(({ uid }) => progressOf(uid).ready) ??
  theOne(live, progressOf);

/**
 * Of several that may all run: the oldest that is available, else that is ready, else as without a surge. As long as
 * none is known to be available, one of which nothing is known is not stopped either: it may be the one that serves.
 */
function keepWhatServes(
  live: readonly PodRecord[],
  progressOf: (uid: string) => PodProgress,
  reason: string,
): Choice {
  const kept = serving(live, progressOf);
  const available = kept !== undefined && progressOf(kept.uid).available;
  const isUnknown = ({ uid }: PodRecord) => progressOf(uid).running && progressOf(uid).ready === undefined;
  return {
    pods: live.map((record) => {
      if (record !== kept && !available && isUnknown(record))
        return { record, bucket: 'run', reason: 'it is not known yet which of them serves' };
      return runOrStop(record, record === kept, reason);
    }),
  };
}

/** Rules 41, 42 and 45: one old and one new pod; the old one goes when it is not needed, or of no use, any more. */
function replaceBeside(
  { granted }: NodeDaemonSet,
  live: readonly PodRecord[],
  progressOf: (uid: string) => PodProgress,
  held: string | undefined,
): Choice {
  if (!granted)
    return keepWhatServes(live, progressOf, 'nothing is granted to this node: what runs may stay');
  const isCurrent = (record: PodRecord) => isOf(record, granted);
  const outdated = live.filter((record) => !isCurrent(record));
  const begun = hasBegun(progressOf);
  const kept = held === undefined ? undefined : serving(live.filter(begun), progressOf);
  const stays = kept && !isCurrent(kept) ? kept : undefined;
  const old = keepWhatServes(outdated, progressOf, 'it stays until its replacement is available').pods.map(
    (choice): PodChoice =>
      choice.record === stays ? { ...choice, bucket: 'run', reason: held ?? '' } : choice,
  );
  const current = keepWhatServes(live.filter(isCurrent), progressOf, 'granted to this node').pods.map(
    (choice): PodChoice =>
      choice.bucket === 'run' && stays && !begun(choice.record)
        ? { ...choice, bucket: 'prepare', reason: 'it is not started beside a pod that is to stay' }
        : choice,
  );
  const replaces = `revision ${granted.revision} replaces it`;
  if (current.length === 0) {
    // Two that may both have to stay leave no room for a third.
    const full = stays !== undefined || old.filter(({ bucket }) => bucket === 'run').length > 1;
    return { pods: old, ...(full ? {} : { bear: old.length > 0 ? replaces : 'the node has no pod' }) };
  }
  const stands = current.filter(({ bucket }) => bucket === 'run').map(({ record }) => progressOf(record.uid));
  const isThere = stands.some(({ prepared, started }) => prepared || started);
  const isAvailable = stands.some(({ available }) => available);
  const goes = ({ uid }: PodRecord): string | undefined => {
    if (isAvailable) return replaces;
    return isThere && progressOf(uid).ready === false ? `it is not ready, and ${replaces}` : undefined;
  };
  return {
    pods: [
      ...old.map((choice): PodChoice => {
        const mayGo = choice.bucket === 'run' && choice.record !== stays;
        const reason = mayGo ? goes(choice.record) : undefined;
        return reason === undefined ? choice : { ...choice, bucket: 'stop', reason };
      }),
      ...current,
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
