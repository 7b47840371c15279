// One machine of the fleet: its engine, its disk, its clocks, and the real agent that runs on it while it runs.
import { startAgentCore } from '@fleetset/agent/agent-core';
import type { AgentCore } from '@fleetset/agent/agent-core-parts';
import type { MachineGauges } from '@fleetset/agent/facts/machine-gauges';
import type { PodDialer } from '@fleetset/agent/forward/pod-dialer';
import { DEFAULT_NODE_SETTINGS } from '@fleetset/agent/node-settings';
import type { ContainerRuntime } from '@fleetset/agent/runtime/container-runtime';
import { unseal } from '@fleetset/agent/state/sealed';
import type { TerminationLogs } from '@fleetset/agent/state/termination-logs';
import type { PodVolumes } from '@fleetset/agent/volumes/pod-volumes';
import { NodeDesired } from '@fleetset/proto/gen/fleetset/v1/node';
import type { MaintenanceWindow } from '@fleetset/scheduler-core/schema/rollout-policy';
import type { Logger } from 'pino';
import { createFakeEngine, type FakeContainer, type FakeEngine } from '../../agent/test/fake-runtime.ts';
import { ASK_ALIVE, actApp, answerAlive, answerReady } from './apps.ts';
import { overSocket } from './engine-socket.ts';
import { createMemoryDisk, type MemoryDisk } from './memory-files.ts';
import type { Link } from './network.ts';
import { createNodeHolds, type NodeHolds } from './node-holds.ts';
import { newProgram, type Program, runAs, wallTime } from './program.ts';
import type { VirtualTime } from './virtual-time.ts';

export const OWNER = 'fleet';
const DATA = '/data';

export interface Machine {
  readonly name: string;
  readonly engine: FakeEngine;
  readonly disk: MemoryDisk;
  readonly link: Link;
  readonly holds: NodeHolds;
  /** Whose certificate it has. */
  readonly keyHash: string;
  readonly isOn: () => boolean;
  readonly hasAgent: () => boolean;
  /** Undefined while the agent is away or has not begun its work. */
  readonly agent: () => AgentCore | undefined;
  readonly startAgent: () => void;
  /** At once, or before its next effect but so many. */
  readonly killAgent: (afterEffects?: number) => void;
  /** As systemd stops it. */
  readonly stopAgent: (onStopped: () => void) => void;
  /** A kill that is to come does not. */
  readonly defuse: () => void;
  readonly powerOff: () => void;
  readonly powerOn: () => void;
  readonly bootCount: () => number;
  /** The revision of a DaemonSet that its agent goes by, or will when it runs again. */
  readonly acceptedRevision: (setUid: string) => string | undefined;
  /** Whose the pods of this DaemonSet are now. */
  readonly ownerOf: (setUid: string) => string;
  /** Its agent's own, which count before any policy's. */
  readonly windows?: readonly MaintenanceWindow[];
  /** Its wall clock jumps. */
  readonly moveClock: (byMs: number) => void;
  /** How long the container has been running, by the true time. */
  readonly ranForMs: (container: Pick<FakeContainer, 'id'>) => number;
  /** In the name of its engine, behind the agent's back. */
  readonly meddle: (run: (engine: FakeEngine) => void) => void;
}

export interface MachineParts {
  readonly name: string;
  readonly keyHash: string;
  readonly time: VirtualTime;
  readonly link: Link;
  readonly labels: { readonly [key: string]: string };
  readonly windows?: readonly MaintenanceWindow[];
  readonly ownerOf: (setUid: string) => string;
  readonly loggerOf: (program: Program) => Logger;
  /** What runs on the engine has changed this very moment, or the agent asks for a start. */
  readonly onEngine: () => void;
  /** The agent ends this container that runs, this very moment. */
  readonly onEnd: (container: FakeContainer) => void;
  readonly onFailure: (error: unknown, program: Program) => void;
}

const FACTS = {
  cpus: 2,
  memoryBytes: 2 ** 34,
  diskBytes: 0,
  osImage: '',
  kernelVersion: '',
  architecture: 'amd64',
  operatingSystem: 'linux',
  machineId: '',
  systemUuid: '',
};

/** What pods of the run mount is never looked at. */
const NO_VOLUMES: PodVolumes = {
  begin: async () => {},
  ensure: async () => {},
  isCurrent: () => true,
  refresh: async () => {},
  sourceOf: async () => '/dev/null',
  remove: async () => {},
  removeAllBut: async () => {},
};

/** Nobody asks for a port. */
const NO_GAUGES: MachineGauges = {
  levels: async () => ({}),
  disk: async () => undefined,
  usage: () => {
    throw new Error('nobody looks at what is used');
  },
};

const NO_DIALER: PodDialer = {
  dial: () => Promise.reject(new Error('nothing listens in a pod of the run')),
  close: () => {},
};

const NO_LAST_WORDS: TerminationLogs = {
  make: async () => '/dev/null',
  read: async () => '',
  remove: async () => {},
};

export function createMachine(parts: MachineParts): Machine {
  const { name, time, link } = parts;
  let boots = 0;
  let lives = 0;
  let bootedAt = 0;
  let skewMs = 0;
  const wallSkew = () => skewMs;
  const newKernel = () => newProgram(`${name}/engine#${boots}`, time, wallSkew);
  let kernel = newKernel();
  let agentProgram: Program | undefined;
  let agent: AgentCore | undefined;
  const startedAt = new Map<string, number>();

  const engine = createFakeEngine((command, inside) => {
    if (!inside) return actApp(command);
    const { entrypoint = [], args = [] } = inside.settings;
    const app = [...entrypoint, ...args];
    if (command[0] === ASK_ALIVE[0]) return answerAlive(app, ranForMs(inside));
    return answerReady(app, name, ranForMs(inside));
  });
  const ranForMs = ({ id }: Pick<FakeContainer, 'id'>) => time.now() - (startedAt.get(id) ?? time.now());
  const forever = new AbortController().signal;
  const onChange = () => {
    const containers = engine.containers();
    for (const { id, state } of containers) {
      if (state !== 'running') startedAt.delete(id);
      else if (!startedAt.has(id)) startedAt.set(id, time.now());
    }
    parts.onEngine();
  };
  engine.runtime(OWNER).follow({ onOpen: () => {}, onChange, onLost: () => {} }, forever);
  const disk = createMemoryDisk();
  const ends = (id: string) => {
    const container = engine.containers().find((one) => one.id === id);
    if (container?.state === 'running') parts.onEnd(container);
  };
  const docker: ContainerRuntime = engine.runtime(OWNER);
  const watched: ContainerRuntime = {
    ...docker,
    create: async (settings) => {
      const id = await docker.create(settings);
      parts.onEngine();
      return id;
    },
    stop: (id, graceSeconds) => {
      ends(id);
      return docker.stop(id, graceSeconds);
    },
    remove: (id) => {
      ends(id);
      return docker.remove(id);
    },
  };

  const machineTime = () => ({ bootId: `boot-${boots}`, upMs: time.now() - bootedAt });
  const wallNow = () => wallTime({ time, wallSkewMs: wallSkew });
  const holds = createNodeHolds(time.now, machineTime, wallNow);

  const startAgent = () => {
    if (!kernel.alive || agentProgram?.alive) return;
    lives += 1;
    const program = newProgram(`${name}/agent#${lives}`, time, wallSkew);
    agentProgram = program;
    const bootId = `boot-${boots}`;
    const calls = overSocket(watched, () => kernel);
    const runtime: ContainerRuntime = {
      ...calls,
      start: (id) => {
        // Seen as it asks: when the engine has done it, the agent may go by something else.
        parts.onEngine();
        return calls.start(id);
      },
    };
    const begin = () =>
      startAgentCore({
        nodeName: name,
        dataDir: DATA,
        files: disk.files,
        runtime,
        facts: { now: () => ({ ...FACTS, ip: '10.0.0.1', bootId }), keep: () => {} },
        client: link.client(),
        dialer: NO_DIALER,
        gauges: NO_GAUGES,
        settings: DEFAULT_NODE_SETTINGS,
        labels: parts.labels,
        taints: [],
        timeZone: 'UTC',
        ...(parts.windows ? { maintenanceWindows: parts.windows } : {}),
        minOomScoreAdjust: -1000,
        machineId: `${name}/${bootId}`,
        machineTime,
        volumes: NO_VOLUMES,
        terminationLogs: NO_LAST_WORDS,
        takenPorts: async () => [],
        openHolds: holds.open,
        version: '0',
        logger: parts.loggerOf(program),
      }).then(
        (core) => {
          agent = core;
        },
        (error: unknown) => parts.onFailure(error, program),
      );
    time.after(0, program, () => void begin());
  };

  const buryAgent = (withItsMachine: boolean) => {
    if (!agentProgram) return;
    agentProgram.alive = false;
    agentProgram = undefined;
    agent = undefined;
    holds.forget();
    link.agentDied(withItsMachine);
  };

  return {
    name,
    engine,
    disk,
    link,
    holds,
    keyHash: parts.keyHash,
    isOn: () => kernel.alive,
    hasAgent: () => agentProgram !== undefined,
    agent: () => agent,
    startAgent,
    killAgent: (afterEffects = 0) => {
      if (!agentProgram) return;
      if (afterEffects === 0) buryAgent(false);
      else agentProgram.fuse = { left: afterEffects, onEnd: () => buryAgent(false) };
    },
    defuse: () => {
      if (agentProgram) agentProgram.fuse = undefined;
    },
    stopAgent: (onStopped) => {
      const [stopping, program] = [agent, agentProgram];
      if (!stopping || !program) return;
      time.after(0, program, () => {
        const buried = () => {
          if (agentProgram !== program) return;
          buryAgent(false);
          onStopped();
        };
        stopping.stop().then(buried, (error: unknown) => {
          parts.onFailure(error, program);
          buried();
        });
      });
    },
    powerOff: () => {
      buryAgent(true);
      runAs(kernel, engine.powerOff);
      kernel.alive = false;
      disk.cutPower(time.dice);
    },
    powerOn: () => {
      if (kernel.alive) return;
      boots += 1;
      bootedAt = time.now();
      kernel = newKernel();
    },
    bootCount: () => boots,
    acceptedRevision: (setUid) => {
      const content = disk.read(`${DATA}/desired.pb`);
      const accepted = content && NodeDesired.decode(unseal(content));
      return accepted?.daemonSets.find(({ uid }) => uid === setUid)?.revision;
    },
    ownerOf: parts.ownerOf,
    ...(parts.windows ? { windows: parts.windows } : {}),
    moveClock: (byMs) => {
      skewMs += byMs;
    },
    ranForMs,
    meddle: (run) => {
      if (kernel.alive) runAs(kernel, () => run(engine));
    },
  };
}
