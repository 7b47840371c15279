// What a soak watches: the figures of one round, and whether they have grown from the beginning of a phase to its end.
import { readFileSync, statSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import Docker from 'dockerode';
import { type BenchFleet, pause, type Service } from './bench-fleet.ts';
import { median } from './median.ts';
import { memoryOf, openFilesOf } from './process-figures.ts';
import { mountsBelow, type SoakFleet } from './soak-fleet.ts';

/** Of each container, as the agent's settings say. */
export const LOG_KIB = 64;
export const LOG_FILES = 2;
const KIB = 1024;
const MIB = KIB * KIB;

/** All in their own units. */
export interface Sample {
  readonly agentPrivate: number;
  readonly agentHeap: number;
  readonly agentFiles: number;
  readonly agentState: number;
  readonly agentLog: number;
  readonly planePrivate: number;
  readonly planeHeap: number;
  readonly planeHistory: number;
  readonly planePrivateRest: number;
  readonly planeHeapRest: number;
  readonly planeFiles: number;
  readonly planeState: number;
  readonly planeWriteAhead: number;
  readonly planeLog: number;
  readonly containers: number;
  readonly containerLogs: number;
  readonly longestLog: number;
  readonly mounts: number;
  readonly events: number;
}

export type Phase = 'agent lives' | 'plane lives';
export type Samples = { readonly [name in Phase]: readonly Sample[] };

interface Bound {
  readonly figure: keyof Sample;
  readonly what: string;
  /** Of a process that is killed in each round only a phase in which it lives says anything. Absent: both. */
  readonly phase?: Phase;
  /** Last by first. Absent: it is shown, and may grow. */
  readonly most?: number;
  /** So much more in a phase is no growth, whatever the ratio: small figures jump. */
  readonly slack?: number;
  /** What it may never be more than. */
  readonly limit?: number;
}

const BOUNDS: readonly Bound[] = [
  { figure: 'agentPrivate', what: 'agent, private MiB', phase: 'agent lives', most: 1.25 },
  { figure: 'agentHeap', what: 'agent, heap MiB', phase: 'agent lives', most: 1.15 },
  { figure: 'agentFiles', what: 'agent, open files', phase: 'agent lives', most: 1.15 },
  { figure: 'agentState', what: "agent's state, KiB", most: 1.15, slack: 4 },
  { figure: 'agentLog', what: "agent's log, KiB a round", most: 1.5, slack: 4 },
  { figure: 'planePrivate', what: 'plane, private MiB', phase: 'plane lives' },
  { figure: 'planeHeap', what: 'plane, heap MiB', phase: 'plane lives' },
  // Up to 10,000 changes or 64 MiB of each kind.
  { figure: 'planeHistory', what: 'plane, remembered changes MiB', phase: 'plane lives' },
  { figure: 'planePrivateRest', what: 'plane, private MiB without them', phase: 'plane lives', most: 1.25 },
  // An hour's events are in it, at most 5,000.
  {
    figure: 'planeHeapRest',
    what: 'plane, heap MiB without them',
    phase: 'plane lives',
    most: 1.15,
    slack: 5,
  },
  { figure: 'planeFiles', what: 'plane, open files', phase: 'plane lives', most: 1.15 },
  // It is written into as the write-ahead log is taken in, in steps; an hour's events are in it.
  { figure: 'planeState', what: "plane's database, KiB", most: 1.15, slack: 512 },
  // SQLite begins at its front again at 4 MiB.
  { figure: 'planeWriteAhead', what: "plane's write-ahead log, KiB", limit: 6 * KIB },
  { figure: 'planeLog', what: "plane's log, KiB a round", most: 1.5, slack: 4 },
  { figure: 'containers', what: 'containers', most: 1.15, slack: 3 },
  { figure: 'containerLogs', what: "containers' logs, KiB", most: 1.5, slack: LOG_KIB },
  // The engine rotates after the line that was too much.
  { figure: 'longestLog', what: "a container's longest log, KiB", limit: LOG_KIB * LOG_FILES * 1.1 },
  { figure: 'mounts', what: 'mounts', most: 1.15 },
  { figure: 'events', what: 'events' },
];

async function bytesBelow(directory: string): Promise<number> {
  let sum = 0;
  for (const entry of await readdir(directory, { withFileTypes: true }).catch(() => [])) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) sum += await bytesBelow(path);
    // What is being written beside is gone a moment later.
    else if (!/-(wal|shm)$/.test(path)) sum += (await stat(path).catch(() => undefined))?.size ?? 0;
  }
  return sum;
}

/** Of each container, with what was rotated away, in bytes. */
async function logSizes(docker: Docker, soak: SoakFleet): Promise<readonly number[]> {
  return Promise.all(
    (await soak.containers()).map(async ({ Id }) => {
      const { LogPath } = await docker.getContainer(Id).inspect();
      const names = (await readdir(dirname(LogPath))).filter((name) => name.includes('-json.log'));
      return names.map((name) => statSync(join(dirname(LogPath), name)).size).reduce((a, b) => a + b, 0);
    }),
  );
}

/** Bytes that were written to it since it was asked last. */
function growthOf({ logFile }: Service): () => number {
  let seen = 0;
  return () => {
    const before = seen;
    seen = statSync(logFile).size;
    return seen - before;
  };
}

/** `heaps`: where the processes say what their heaps hold. Answers what takes one sample; the fleet is at rest. */
export function openFigures(fleet: BenchFleet, soak: SoakFleet, heaps: string): () => Promise<Sample> {
  const docker = new Docker();
  const { agent, plane } = fleet;
  const [agentLog, planeLog] = [growthOf(agent), growthOf(plane)];
  const heap = ({ pid }: Service) => Number(readFileSync(join(heaps, String(pid())), 'utf8')) / MIB;
  return async () => {
    for (const { pid } of [agent, plane]) process.kill(pid(), 'SIGUSR2');
    // Removing files and closing connections comes after what people are told.
    await pause(2000);
    const logs = await logSizes(docker, soak);
    const history = (await soak.historyBytes()) / MIB;
    const [planePrivate, planeHeap] = [memoryOf(plane.pid()).private, heap(plane)];
    return {
      agentPrivate: memoryOf(agent.pid()).private,
      agentHeap: heap(agent),
      agentFiles: openFilesOf(agent.pid()),
      agentState: (await bytesBelow(fleet.agentDir)) / KIB,
      agentLog: agentLog() / KIB,
      planePrivate,
      planeHeap,
      planeHistory: history,
      planePrivateRest: planePrivate - history,
      planeHeapRest: planeHeap - history,
      planeFiles: openFilesOf(plane.pid()),
      planeState: (await bytesBelow(fleet.planeDir)) / KIB,
      planeWriteAhead: statSync(join(fleet.planeDir, 'plane.db-wal')).size / KIB,
      planeLog: planeLog() / KIB,
      containers: (await soak.containers()).length,
      containerLogs: logs.reduce((a, b) => a + b, 0) / KIB,
      longestLog: Math.max(...logs) / KIB,
      mounts: mountsBelow(fleet.folder),
      events: await soak.countEvents(),
    };
  };
}

/** Of the first and of the last quarter; the first round warms up. */
function ends(values: readonly number[]): readonly [first: number, last: number] {
  const counted = values.slice(1);
  const share = Math.max(1, Math.ceil(counted.length / 4));
  return [median(counted.slice(0, share)), median(counted.slice(-share))];
}

/** What has grown beyond its bound. */
export function judge(samples: Samples): string[] {
  return BOUNDS.flatMap((bound) => {
    const names = bound.phase ? [bound.phase] : (['agent lives', 'plane lives'] as const);
    return names.flatMap((name) => judgeOne(bound, name, samples[name]));
  });
}

function judgeOne(bound: Bound, phase: Phase, samples: readonly Sample[]): string[] {
  const { figure, what, most, slack = 0, limit } = bound;
  const values = samples.map((one) => one[figure]);
  const [first, last] = ends(values);
  const highest = Math.max(...values);
  const grows = most !== undefined && !(last <= Math.max(first * most, first + slack));
  const exceeds = limit !== undefined && !(highest <= limit);
  const bounds = [
    most === undefined ? '' : ` (at most ${most}${slack === 0 ? '' : `, or ${slack} more`})`,
    limit === undefined ? '' : `, never more than ${highest.toFixed(0)} (at most ${limit.toFixed(0)})`,
  ].join('');
  const shown = [first, last].map((value) => value.toFixed(1).padStart(8)).join(' ');
  const line = `${what.padEnd(32)} ${phase} ${shown}   ${(last / first).toFixed(2)} x${bounds}`;
  console.log(`  ${line}${grows || exceeds ? '   GROWN' : ''}`);
  const said = `${what}, while the ${phase}:`;
  return [
    ...(grows
      ? [`${said} grew from ${first.toFixed(1)} to ${last.toFixed(1)} in ${values.length} rounds`]
      : []),
    ...(exceeds ? [`${said} ${highest.toFixed(0)} is more than ${limit.toFixed(0)}`] : []),
  ];
}
