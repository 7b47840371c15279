// The holds on this node as they are now: the directory is followed, and looked at again and again all the same, since
// time ends holds and a watch may miss what happens.
import { type FSWatcher, watch } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { type Hold, type HoldShown, holdLeftMs, holdText } from '@fleetset/scheduler-core/node/hold';
import type { MachineTime } from '@fleetset/scheduler-core/node/ready-since';
import { utcText } from '@fleetset/scheduler-core/utc-text';
import type { AgentEvents } from '../node/agent-events.ts';
import { withinTimer } from '../timer-limit.ts';
import { type HoldFile, readHolds, removeAsRead } from './hold-file.ts';

export interface HoldsParts {
  readonly directory: string;
  readonly machineTime: () => MachineTime;
  readonly wallNow: () => number;
  /** Some hold began, ended or was changed since it was opened. */
  readonly onChange: (now: readonly HoldShown[], before: readonly HoldShown[]) => void;
  /** Something there is no hold, or the directory cannot be read; said once. */
  readonly onProblem: (problem: string) => void;
}

export interface Holds {
  readonly current: () => readonly HoldShown[];
  /** Looks now; resolves when what is there counts. */
  readonly look: () => Promise<void>;
  readonly close: () => void;
}

const LOOK_AGAIN_MS = 10_000;
/** A clock that is set right by less does not change what people are shown. */
const SAME_TIME_MS = 60_000;

interface Known {
  readonly version: string;
  readonly hold: Hold;
  readonly untilMs: number;
}

/** What is there counts when it resolves. */
export async function openHolds(parts: HoldsParts): Promise<Holds> {
  const { directory, machineTime, wallNow } = parts;
  let known = new Map<string, Known>();
  let shown: readonly HoldShown[] = [];
  let complaints = new Set<string>();
  let watcher: FSWatcher | undefined;
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> | undefined;
  let again = false;
  let opened = false;
  let closed = false;

  const follow = () => {
    if (watcher || closed) return;
    const stop = () => {
      watcher?.close();
      watcher = undefined;
    };
    try {
      watcher = watch(directory, { persistent: false }, () => void look());
      watcher.on('error', stop);
      watcher.on('close', stop);
    } catch {
      // It is looked at all the same.
    }
  };

  const complain = (now: readonly string[]) => {
    for (const problem of now) if (!complaints.has(problem)) parts.onProblem(problem);
    complaints = new Set(now);
  };

  const lookOnce = async () => {
    const problems: string[] = [];
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      follow();
      const files = await readHolds(directory);
      for (const { name, problem } of files)
        if (problem) problems.push(`holds/${name} is no hold: ${problem}`);
      known = new Map(files.flatMap((file) => entryOf(file)));
      await tidy(files);
    } catch (error) {
      // What is known stays: a hold that cannot be read again is not over.
      problems.push(`the holds cannot be read: ${(error as Error).message}`);
    }
    if (closed) return;
    complain(problems);
    show();
  };

  /** One that does not say when the machine was started counts from the first look at it. */
  const entryOf = (file: HoldFile): [string, Known][] => {
    if (!file.hold) return [];
    const before = known.get(file.name);
    const same = before?.version === file.version ? before : undefined;
    const now = { wallMs: wallNow(), machine: machineTime() };
    const hold = stamped(same?.hold ?? file.hold, now);
    const untilMs = now.wallMs + holdLeftMs(hold, now);
    const steady = same && Math.abs(same.untilMs - untilMs) < SAME_TIME_MS;
    return [[file.name, { version: file.version, hold, untilMs: steady ? same.untilMs : untilMs }]];
  };

  const leftOf = ({ hold }: Known) => holdLeftMs(hold, { wallMs: wallNow(), machine: machineTime() });

  const show = () => {
    const active = [...known.values()].filter((one) => leftOf(one) > 0);
    const before = shown;
    shown = active.map(({ hold, untilMs }) => ({
      owner: hold.owner,
      reason: hold.reason,
      until: utcText(untilMs),
    }));
    clearTimeout(timer);
    const next = Math.min(LOOK_AGAIN_MS, ...active.map((one) => leftOf(one) + 1));
    if (!closed) timer = setTimeout(tick, withinTimer(next));
    timer?.unref();
    if (opened && JSON.stringify(shown) !== JSON.stringify(before)) parts.onChange(shown, before);
  };

  /** What time ends has ended at once, however long the disk takes. */
  const tick = () => {
    show();
    void look();
  };

  /** What is over goes: after a reboot only the wall clock would say that it is, and that can be set. */
  const tidy = async (files: readonly HoldFile[]) => {
    for (const file of files) {
      const one = known.get(file.name);
      if (one && leftOf(one) === 0) await removeAsRead(directory, file);
    }
  };

  /** One at a time; whoever asks meanwhile gets another look, since the one under way may have missed it. */
  const look = (): Promise<void> => {
    again = true;
    looking ??= (async () => {
      while (again && !closed) {
        again = false;
        await lookOnce();
      }
    })().finally(() => {
      looking = undefined;
    });
    return looking;
  };

  await look();
  opened = true;
  return {
    current: () => shown,
    look,
    close: () => {
      closed = true;
      clearTimeout(timer);
      watcher?.close();
    },
  };
}

/** As if it had been set so long ago as the wall clock says; from now on the machine's own clock counts. */
function stamped(hold: Hold, { wallMs, machine }: { wallMs: number; machine: MachineTime }): Hold {
  if (hold.machine || machine.bootId === '') return hold;
  const upMs = machine.upMs - Math.max(0, wallMs - hold.setAt);
  return { ...hold, machine: { bootId: machine.bootId, upMs } };
}

/** As events of the node. */
export function tellHolds(
  events: Pick<AgentEvents, 'add'>,
  now: readonly HoldShown[],
  before: readonly HoldShown[],
): void {
  const same = (a: HoldShown) => (b: HoldShown) => a.owner === b.owner && a.reason === b.reason;
  const tell = (reason: string, message: string) => events.add({ type: 'Normal', reason, message });
  for (const hold of now.filter((one) => !before.some(same(one)))) tell('NodeHeld', holdText([hold]) ?? '');
  for (const { owner, reason } of before.filter((one) => !now.some(same(one))))
    tell('NodeReleased', `no longer held by ${owner}: ${reason}`);
}
