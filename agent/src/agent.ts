// The agent, put together by hand: identity, state on disk, engine, node loop, and the stream to the plane.

import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Maintenance, NodeDesired } from '@fleetset/proto/gen/fleetset/v1/node';
import { holdText } from '@fleetset/scheduler-core/node/hold';
import { type NodePressure, pressureTaints } from '@fleetset/scheduler-core/node/node-pressure';
import type { MaintenanceWindow } from '@fleetset/scheduler-core/schema/rollout-policy';
import type { Taint } from '@fleetset/scheduler-core/schema/scheduling';
import type { Logger } from 'pino';
import { every } from './every.ts';
import { createFacts } from './facts/kept-facts.ts';
import { createKeptPressure } from './facts/kept-pressure.ts';
import { type MachineFacts, machineTime } from './facts/machine-facts.ts';
import { readDisk, readLevels } from './facts/machine-levels.ts';
import { automaticLabels, nodeStatus } from './facts/node-status.ts';
import { holdDirectory } from './holds/hold-file.ts';
import { openHolds, tellHolds } from './holds/holds.ts';
import { ownerOf, readIdentity } from './identity/identity-files.ts';
import { localAnswers } from './local/local-answers.ts';
import { startLocalServer } from './local/local-server.ts';
import { createMeters, meteredRuntime } from './local/meters.ts';
import { createAgentEvents } from './node/agent-events.ts';
import { buildReport } from './node/build-report.ts';
import { bodiesOf, bodiesOfPod } from './node/desired-state.ts';
import { createHousekeeping, wantedImages } from './node/housekeeping.ts';
import { createImageKeeper } from './node/image-keeper.ts';
import { loggedEvents } from './node/logged-events.ts';
import { type NodeAgent, startNodeAgent } from './node/node-agent.ts';
import { createReporter } from './node/reporter.ts';
import { DEFAULT_NODE_SETTINGS, type NodeSettings } from './node-settings.ts';
import type { RuntimeInfo } from './runtime/container-runtime.ts';
import { createDockerRuntime } from './runtime/docker-runtime.ts';
import { HOLDER_IMAGE } from './runtime/holder-image.ts';
import { openBodyFiles } from './state/body-files.ts';
import { openDesiredFile } from './state/desired-file.ts';
import { openImageBook } from './state/image-book.ts';
import { openPodBook } from './state/pod-book.ts';
import { serveTunnel } from './sync/log-tunnel.ts';
import { createPlaneClient } from './sync/plane-client.ts';
import { startSyncSession } from './sync/sync-session.ts';
import { createSampler } from './usage/take-sample.ts';
import { createUsageReports } from './usage/usage-reports.ts';
import { systemMounts } from './volumes/mounts.ts';
import { openPodVolumes } from './volumes/pod-volumes.ts';

export interface AgentOptions {
  readonly dataDir: string;
  readonly dockerSocket: string;
  /** From the config file and flags: the node's own, which operators cannot change from the plane. */
  readonly labels: { readonly [key: string]: string };
  readonly taints: readonly Taint[];
  /** From the config file: when this node may be changed, instead of what policies say. Already checked. */
  readonly maintenanceWindows?: readonly MaintenanceWindow[];
  /** Absent: the defaults. */
  readonly node?: NodeSettings;
  readonly version: string;
  readonly logger: Logger;
  /** The node loop went round: for a watchdog. */
  readonly onPass?: () => void;
}

export interface Agent {
  readonly nodeName: string;
  /** Undefined while it does not answer locally. */
  readonly localPort: () => number | undefined;
  /** Lets the node loop go round soon. */
  readonly wake: () => void;
  /** The machine shuts down: stops the pods by their grace, and within the settings' limit. `stop` comes after it. */
  readonly shutDown: () => Promise<void>;
  /** Leaves every container running. */
  readonly stop: () => Promise<void>;
}

/** The agent cannot be started as it is; the message says what to do. */
export class AgentNotReady extends Error {}

const ENGINE_INFO = { periodMs: 600_000, retryMs: 10_000 };

export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { dataDir, logger, version, node: settings = DEFAULT_NODE_SETTINGS } = options;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const identity = await readIdentity(dataDir);
  if (!identity)
    throw new AgentNotReady(
      `this machine has not joined a fleet: there is no identity in ${dataDir}. Run the line that 'fleetset token create --print-join-command' prints on the plane`,
    );
  const { nodeName } = identity;
  const unreadable = (what: string) => (error: unknown) =>
    logger.error({ err: error }, `${what} cannot be read or written; the agent goes on without it`);
  const bodies = await openBodyFiles(join(dataDir, 'bodies'));
  const desired = await openDesiredFile(dataDir, unreadable('desired.pb'));
  const pods = await openPodBook(dataDir, unreadable('pods.json'));
  const events = loggedEvents(createAgentEvents(), logger, pods);
  const meters = createMeters();
  const imageBook = await openImageBook(dataDir, unreadable('images.json'));
  const keeper = createImageKeeper({
    runtime: meteredRuntime(
      createDockerRuntime({
        socketPath: options.dockerSocket,
        owner: ownerOf(identity),
        logs: settings.logs,
      }),
      meters,
    ),
    book: imageBook,
    settings: settings.images,
    readDisk: async () => {
      const disk = engine && (await readDisk(engine.rootDir));
      return disk && { availableBytes: disk.bytes.available, capacityBytes: disk.bytes.capacity };
    },
    wanted: () => [HOLDER_IMAGE, ...wantedImages({ book: imageBook, pods, bodies }, desired.current())],
    events,
    logger,
    now: Date.now,
    onRemoved: ({ sizeBytes }) => meters.imageRemoved(sizeBytes),
  });
  const { runtime } = keeper;
  const housekeeping = createHousekeeping({ runtime, keeper, book: imageBook, pods, bodies, logger });
  const facts = createFacts();
  let engine: RuntimeInfo | undefined;
  const monotonicNow = () => performance.now();
  const holds = await openHolds({
    directory: holdDirectory(dataDir),
    machineTime,
    wallNow: () => Date.now(),
    onChange: (now, before) => {
      tellHolds(events, now, before);
      agent.wake();
      reporter.changed();
    },
    onProblem: (problem) => logger.warn(problem),
  });
  let passedAt = monotonicNow();
  let shuttingDown = false;
  const pressure = createKeptPressure({
    nodeName,
    settings,
    read: () => readLevels({ nodefs: dataDir, imagefs: engine?.rootDir }),
    events,
    monotonicNow,
  });
  const ownTaints = () => withPressure(options.taints, pressure.now());
  const ownLabels = () => ({ ...options.labels, ...automaticLabels(nodeName, facts.now()) });

  const agent: NodeAgent = startNodeAgent({
    nodeName,
    runtime,
    pods,
    bodies,
    events,
    ownLabels,
    ownTaints,
    held: () => holdText(holds.current()),
    nodeIp: () => facts.now().ip,
    volumes: openPodVolumes(join(dataDir, 'pods'), systemMounts),
    allocatable: facts.now(),
    minOomScoreAdjust: lowestOomScore(),
    monotonicNow,
    machineTime,
    logger,
    onChange: () => reporter.changed(),
    onPass: (durationMs, failed) => {
      passedAt = monotonicNow();
      meters.passEnded(durationMs, failed);
      options.onPass?.();
    },
  });
  const build = () =>
    buildReport({
      agent,
      pods,
      bodies,
      labels: ownLabels(),
      taints: ownTaints(),
      status: nodeStatus({
        nodeName,
        facts: facts.now(),
        agentVersion: version,
        runtimeVersion: engine?.version,
        engineTrouble: agent.engineTrouble(),
        held: holdText(holds.current()),
        shuttingDown,
        pressure: pressure.now(),
        reserved: settings.reserved,
      }),
      holds: holds.current(),
      maintenance: maintenanceOf(options.maintenanceWindows),
      nodeIp: facts.now().ip,
      monotonicNow: monotonicNow(),
      machineTime: machineTime(),
      nowText: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
    });
  const reporter = createReporter({
    build,
    events,
    settled: agent.settled,
    listening: () => session.connected(),
    send: (report) => {
      session.report(report);
      meters.reportSent();
      housekeeping.note(report);
    },
    onFailure: (error) => logger.error({ err: error }, 'the report could not be made'),
  });

  const takeEffect = async (told: NodeDesired) => {
    agent.setDesired(told);
    housekeeping.told(told);
    reporter.changed();
    const wanted = new Set([...bodiesOf(told), ...pods.all().flatMap((pod) => bodiesOfPod(bodies, pod))]);
    await bodies
      .keepOnly(wanted)
      .catch((error: unknown) => logger.warn({ err: error }, 'old bodies stay on disk'));
  };
  agent.setDesired(desired.current());

  const stopping = new AbortController();
  const client = createPlaneClient(identity);
  const session = startSyncSession({
    client,
    desired,
    bodies,
    agentVersion: version,
    instanceId: randomUUID(),
    machineId: machineKey(identity.certificate, dataDir, facts.now()),
    logger,
    onDesired: takeEffect,
    onConnected: () => reporter.connected(),
    onTunnel: (request) => {
      serveTunnel({ client, runtime, signal: stopping.signal }, request).catch((error: unknown) =>
        logger.warn({ err: error }, 'a tunnel failed'),
      );
    },
    onUsageWanted: createUsageReports({
      take: createSampler(),
      containers: () => agent.view().containers,
      send: (usage) => session.usage(usage),
      monotonicNow,
      signal: stopping.signal,
      onFailure: (error) => logger.warn({ err: error }, 'what is used could not be measured'),
    }),
    onRemoved: async (message) => {
      logger.warn(`${message}: its pods are stopped`);
      const nothing = nothingMore(desired.current());
      agent.setDesired(nothing);
      // On disk too: a reboot must not bring them back.
      const refusal = await desired.offer(nothing);
      if (refusal) logger.error(`the removal is not on disk: ${refusal.message}`);
    },
  });
  const asking = new AbortController();
  void every(ENGINE_INFO, asking.signal, async () => {
    engine = await runtime.info();
    reporter.changed();
  });
  housekeeping.keep(asking.signal);
  const changed = () => {
    agent.wake();
    reporter.changed();
  };
  // The probes ask where the node is now.
  facts.keep(asking.signal, changed);
  pressure.keep(asking.signal, changed);
  const answers = localAnswers({
    nodeName,
    version,
    agent,
    pods,
    bodies,
    desired,
    meters,
    report: () => build().report,
    connected: () => session.connected(),
    passedAt: () => passedAt,
    monotonicNow,
  });
  const local = settings.local && startLocalServer(settings.local, answers, logger);
  return {
    nodeName,
    localPort: () => local?.port(),
    wake: agent.wake,
    shutDown: async () => {
      shuttingDown = true;
      logger.info('the machine is shutting down: pods are stopped');
      await agent
        .shutDown(settings.shutdownGraceMs)
        .catch((error: unknown) => logger.error({ err: error }, 'the pods could not all be stopped'));
    },
    stop: async () => {
      asking.abort();
      await local?.stop();
      stopping.abort();
      holds.close();
      reporter.stop();
      session.stop();
      await agent.stop();
    },
  };
}

/** One that its owner set for good is not there twice. */
const withPressure = (taints: readonly Taint[], pressure: NodePressure): readonly Taint[] => [
  ...taints,
  ...pressureTaints(pressure).filter(
    ({ key, effect }) => !taints.some((own) => own.key === key && own.effect === effect),
  ),
];

/** Nothing of the fleet is to run here any more. */
const nothingMore = (before: NodeDesired | undefined): NodeDesired => ({
  generation: { epoch: before?.generation?.epoch ?? 0, counter: (before?.generation?.counter ?? 0) + 1 },
  daemonSets: [],
  labels: {},
  taints: [],
  tombstones: [],
  orphans: [],
  configs: [],
});

const maintenanceOf = (windows: AgentOptions['maintenanceWindows']): Maintenance => ({
  timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone ?? '',
  ownWindows: windows && {
    windows: windows.map(({ schedule, duration, timeZone = '' }) => ({ schedule, duration, timeZone })),
  },
});

/** Differs between two machines that were cloned from one disk: they cannot share a boot. */
const machineKey = (certificate: string, dataDir: string, { bootId, machineId }: MachineFacts): string =>
  createHash('sha256').update(`${certificate}\n${dataDir}\n${machineId}\n${bootId}`).digest('hex');

const CAP_SYS_RESOURCE = 24n;

/** Lowering a score needs a capability that an agent in a container may lack, and then its engine lacks it too. */
function lowestOomScore(): number {
  try {
    const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
    return (BigInt(`0x${effective}`) >> CAP_SYS_RESOURCE) & 1n ? -1000 : 0;
  } catch {
    return -1000;
  }
}
