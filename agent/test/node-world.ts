// A node for tests: the real node loop on the fake engine and on real files, by a faked clock. The agent in it can
// be stopped, killed and started anew over what it left.

import { join } from 'node:path';
import type { NodeDesired, NodeReport } from '@fleetset/proto/gen/fleetset/v1/node';
import { clashes, type TakenPort } from '@fleetset/scheduler-core/node/blocked-pods';
import { holdText } from '@fleetset/scheduler-core/node/hold';
import type { MachineTime } from '@fleetset/scheduler-core/node/ready-since';
import type { NodeStatus } from '@fleetset/scheduler-core/schema/node';
import type { Taint } from '@fleetset/scheduler-core/schema/scheduling';
import { pino } from 'pino';
import { onTestFinished, vi } from 'vitest';
import { nodeStatus } from '../src/facts/node-status.ts';
import { holdDirectory, readHolds, removeHold, writeHold } from '../src/holds/hold-file.ts';
import { type Holds, openHolds, tellHolds } from '../src/holds/holds.ts';
import { type AgentEvents, createAgentEvents } from '../src/node/agent-events.ts';
import { buildReport } from '../src/node/build-report.ts';
import { startNodeAgent } from '../src/node/node-agent.ts';
import type { NodeAgent } from '../src/node/node-agent-parts.ts';
import { DEFAULT_NODE_SETTINGS } from '../src/node-settings.ts';
import type { ContainerRuntime } from '../src/runtime/container-runtime.ts';
import { type BodyFiles, openBodyFiles } from '../src/state/body-files.ts';
import { openPodBook, type PodBook } from '../src/state/pod-book.ts';
import { openTerminationLogs } from '../src/state/termination-logs.ts';
import { openPodVolumes } from '../src/volumes/pod-volumes.ts';
import { bodiesNamed, type DesiredParts, desired } from './desired.ts';
import { createFakeEngine, type FakeContainer, type FakeEngine } from './fake-runtime.ts';
import { NO_TOKENS } from './no-tokens.ts';
import { plainMounts } from './plain-mounts.ts';
import { tempDirectory } from './temp-directory.ts';

export const NODE_NAME = 'node-1';
const OWNER = `test/${NODE_NAME}`;
const NODE_IP = '127.0.0.1';
const STEP_MS = 500;
const UNTIL_STEP_MS = 100;
const LIMIT_MS = 400_000;

export interface WorldOptions {
  readonly labels?: { readonly [key: string]: string };
  readonly taints?: readonly Taint[];
  /** Another one: the machine has started anew. */
  readonly bootId?: string;
  /** How long it had been up when the faked clock began; by it alone holds end. */
  readonly upMs?: number;
  /** Stands between the agent and the engine, or the book. */
  /** `follow`: for what it keeps on the disk. */
  readonly wrapRuntime?: (runtime: ContainerRuntime, follow: WatchedDisk['follow']) => ContainerRuntime;
  /** Ports of the machine on which something listens. */
  readonly listening?: () => readonly TakenPort[];
  readonly wrapPods?: (pods: PodBook) => PodBook;
}

export interface RestartOptions extends WorldOptions {
  /** Instead of what the old one was told. */
  readonly told?: NodeDesired | undefined;
  /** The old one is dead: it cannot be stopped, and what it still does has no effect. */
  readonly killed?: boolean;
  /** Done while no agent lives. */
  readonly meanwhile?: () => Promise<void>;
}

export interface AgentInstance {
  readonly agent: NodeAgent;
  readonly pods: PodBook;
  readonly bodies: BodyFiles;
  readonly events: AgentEvents;
  readonly holds: Holds;
}

export interface NodeWorld {
  readonly engine: FakeEngine;
  readonly directory: string;
  /** The agent that lives now. */
  readonly now: () => AgentInstance;
  /** What the plane would say: a new generation each time. */
  readonly tell: (parts: DesiredParts) => Promise<void>;
  /** Stops this agent and starts another over the same engine and files, with what the old one was told. */
  readonly restart: (options?: RestartOptions) => Promise<void>;
  readonly told: () => NodeDesired | undefined;
  /** Looks until it holds, and lets the faked clock go on meanwhile. */
  readonly until: (what: string, holds: () => unknown) => Promise<void>;
  /** Lets the faked clock go on, and what hangs on it happen. */
  readonly pass: (seconds: number) => Promise<void>;
  /** Titles of what runs: `web-1/app#0`. */
  readonly running: () => readonly string[];
  readonly container: (title: string) => FakeContainer;
  readonly report: () => NodeReport;
  /** As `fleetset hold` and `fleetset release` do it; the agent has seen it. */
  readonly hold: (owner: string, forMs: number) => Promise<void>;
  readonly release: (owner: string) => Promise<void>;
}

/** Call it when the clock is faked. */
export async function openNodeWorld(first: WorldOptions = {}): Promise<NodeWorld> {
  const directory = await tempDirectory();
  const engine = createFakeEngine();
  let counter = 0;
  let told: NodeDesired | undefined;
  const disk = watchDisk();
  let live = await startInstance(engine, directory, disk, first);
  let options = first;
  live.agent.setDesired(undefined);
  // Not waited for: by then the clock it may wait for is gone. What it would write at its end comes too late.
  onTestFinished(async () => {
    disk.close();
    live.holds.close();
    void live.agent.stop();
    await disk.idle();
  });

  const advance = async (ms: number) => {
    await disk.idle();
    await vi.advanceTimersByTimeAsync(ms);
    await disk.idle();
  };
  const pass = async (seconds: number) => {
    for (let left = seconds * 1000; left > 0; left -= STEP_MS) await advance(Math.min(STEP_MS, left));
  };

  return {
    engine,
    directory,
    pass,
    now: () => live,
    told: () => told,
    tell: async (parts) => {
      counter += 1;
      await live.bodies.put(bodiesNamed(parts));
      told = desired({ counter, ...parts });
      live.agent.setDesired(told);
    },
    restart: async (again = {}) => {
      live.holds.close();
      if (!again.killed) {
        const stopped = live.agent.stop();
        await vi.advanceTimersByTimeAsync(2000);
        await stopped;
      }
      await again.meanwhile?.();
      options = { ...options, ...again };
      live = await startInstance(engine, directory, disk, options);
      live.agent.setDesired('told' in again ? again.told : told);
    },
    until: async (what, holds) => {
      for (let waitedMs = 0; waitedMs < LIMIT_MS; waitedMs += UNTIL_STEP_MS) {
        await advance(waitedMs === 0 ? 0 : UNTIL_STEP_MS);
        if (holds()) return;
      }
      throw new Error(
        `never came true in ${LIMIT_MS / 1000} s of the faked clock: ${what}\n${engine.calls.slice(-20).join('\n')}`,
      );
    },
    running: () =>
      engine
        .containers()
        .filter(({ owner, state }) => owner === OWNER && state === 'running')
        .map(titleOf)
        .sort(),
    container: (title) => {
      const found = engine.containers().find((container) => titleOf(container) === title);
      if (!found)
        throw new Error(`no container ${title} among ${engine.containers().map(titleOf).join(', ')}`);
      return found;
    },
    report: () => reportOf(live, options),
    hold: async (owner, forMs) => {
      const setAt = Date.now();
      const hold = { owner, reason: 'it is looked at', forMs, setAt, machine: machineTimeOf(options) };
      await writeHold(holdDirectory(directory), hold);
      await live.holds.look();
    },
    release: async (owner) => {
      for (const file of await readHolds(holdDirectory(directory)))
        if (file.hold?.owner === owner) await removeHold(holdDirectory(directory), file);
      await live.holds.look();
    },
  };
}

/** The clock stands still while the agent reads and writes: the disk is real and takes real time. */
interface WatchedDisk {
  readonly watch: (pods: PodBook) => PodBook;
  /** Of what it answers later, the clock waits for the answer. */
  readonly follow: <T extends object>(files: T) => T;
  readonly idle: () => Promise<void>;
  /** From now on nothing is written that has not begun. */
  readonly close: () => void;
}

function watchDisk(): WatchedDisk {
  let writing = 0;
  let closed = false;
  const watched =
    <A extends unknown[]>(write: (...given: A) => Promise<void>) =>
    async (...given: A) => {
      if (closed) return;
      writing += 1;
      await write(...given).finally(() => {
        writing -= 1;
      });
    };
  return {
    watch: (pods) => ({
      ...pods,
      add: watched(pods.add),
      setEnding: watched(pods.setEnding),
      setOwner: watched(pods.setOwner),
      setEnd: watched(pods.setEnd),
      forget: watched(pods.forget),
      flush: watched(pods.flush),
    }),
    follow: (files) => {
      const followed = Object.entries(files).map(
        ([name, call]: [string, (...given: unknown[]) => unknown]) => [
          name,
          (...given: unknown[]) => {
            const answer = call(...given);
            if (!(answer instanceof Promise)) return answer;
            writing += 1;
            return answer.finally(() => {
              writing -= 1;
            });
          },
        ],
      );
      return Object.fromEntries(followed);
    },
    idle: async () => {
      do await new Promise((resolve) => setImmediate(resolve));
      while (writing > 0);
    },
    close: () => {
      closed = true;
    },
  };
}

const titleOf = ({ identity }: FakeContainer): string =>
  `${identity.pod.revision}/${identity.name === '' ? 'POD' : identity.name}#${identity.attempt}`;

async function startInstance(
  engine: FakeEngine,
  directory: string,
  disk: WatchedDisk,
  options: WorldOptions,
): Promise<AgentInstance> {
  const { labels = {}, taints = [], wrapRuntime = (as) => as, wrapPods = (as) => as } = options;
  const bodies = await openBodyFiles(join(directory, 'bodies'));
  const pods = wrapPods(disk.watch(await openPodBook(directory, () => {})));
  const events = createAgentEvents();
  const holds = await openHolds({
    directory: holdDirectory(directory),
    machineTime: () => machineTimeOf(options),
    wallNow: () => Date.now(),
    onChange: (now, then) => {
      tellHolds(events, now, then);
      agent.wake();
    },
    onProblem: () => {},
  });
  const agent = startNodeAgent({
    nodeName: NODE_NAME,
    runtime: wrapRuntime(engine.runtime(OWNER), disk.follow),
    pods,
    bodies,
    events,
    ownLabels: () => labels,
    ownTaints: () => taints,
    held: () => holdText(holds.current()),
    nodeIp: () => NODE_IP,
    tokens: NO_TOKENS,
    mappedRoot: () => 0,
    volumes: disk.follow(openPodVolumes(join(directory, 'pods'), plainMounts)),
    allocatable: { cpus: 2, memoryBytes: 2 ** 34, diskBytes: 0 },
    machineMemoryBytes: 2 ** 34,
    room: () => ({ cpuMilli: 2000, memoryBytes: 2 ** 34, pods: 110 }),
    takenPorts: async (claims) =>
      (options.listening ?? (() => []))().filter((one) => claims.some((claim) => clashes(claim, one))),
    minOomScoreAdjust: -1000,
    terminationLogs: disk.follow(openTerminationLogs(join(directory, 'termination-logs'))),
    seccompDirectory: join(directory, 'seccomp'),
    monotonicNow: () => performance.now(),
    machineTime: () => machineTimeOf(options),
    logger: pino({ enabled: false }),
    // As the reporter does it: also while nobody listens, a report is made.
    onChange: () => {
      setTimeout(() => reportOf(instance, options), 5);
    },
  });
  const instance: AgentInstance = { agent, pods, bodies, events, holds };
  return instance;
}

function reportOf({ agent, pods, bodies, holds }: AgentInstance, options: WorldOptions): NodeReport {
  const { labels = {}, taints = [] } = options;
  return buildReport({
    agent,
    pods,
    bodies,
    labels,
    taints,
    status: statusOf(agent),
    nodeIp: NODE_IP,
    monotonicNow: performance.now(),
    machineTime: machineTimeOf(options),
    holds: holds.current(),
    maintenance: { timeZone: 'UTC', ownWindows: undefined },
    nowText: new Date().toISOString(),
  }).report;
}

const machineTimeOf = ({ bootId = 'boot-1', upMs = 0 }: WorldOptions): MachineTime => ({
  bootId,
  upMs: upMs + performance.now(),
});

const statusOf = (agent: NodeAgent): NodeStatus =>
  nodeStatus({
    nodeName: NODE_NAME,
    facts: {
      ip: NODE_IP,
      cpus: 2,
      memoryBytes: 2 ** 34,
      diskBytes: 0,
      osImage: '',
      kernelVersion: '',
      architecture: 'amd64',
      operatingSystem: 'linux',
      machineId: '',
      bootId: '',
      systemUuid: '',
    },
    agentVersion: '0',
    runtimeVersion: undefined,
    engineTrouble: agent.engineTrouble(),
    pressure: {},
    reserved: DEFAULT_NODE_SETTINGS.reserved,
  });

/** For tests of the node loop: what waits, waits for the faked clock; what reads the disk does not. */
export const fakeClock = (): void => {
  vi.useFakeTimers({
    now: Date.parse('2024-05-06T07:00:00Z'),
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
  });
};
