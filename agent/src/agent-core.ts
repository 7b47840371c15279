// The agent between its edges: state on disk, node loop, reports, and the session with the plane. Which engine, which
// connection and which machine comes from outside.

import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Maintenance, NodeDesired } from '@fleetset/proto/gen/fleetset/v1/node';
import { holdText } from '@fleetset/scheduler-core/node/hold';
import { type NodePressure, pressureTaints } from '@fleetset/scheduler-core/node/node-pressure';
import type { Taint } from '@fleetset/scheduler-core/schema/scheduling';
import { utcText } from '@fleetset/scheduler-core/utc-text';
import type { AgentCore, AgentCoreParts } from './agent-core-parts.ts';
import { createKeptPressure } from './facts/kept-pressure.ts';
import { automaticLabels, leftForPods, nodeStatus } from './facts/node-status.ts';
import { tellHolds } from './holds/holds.ts';
import { localAnswers } from './local/local-answers.ts';
import { startLocalServer } from './local/local-server.ts';
import { createMeters } from './local/meters.ts';
import { createAgentEvents } from './node/agent-events.ts';
import { buildReport } from './node/build-report.ts';
import { bodiesOf, bodiesOfPod } from './node/desired-state.ts';
import { openKeptEngine } from './node/kept-engine.ts';
import { loggedEvents } from './node/logged-events.ts';
import { startNodeAgent } from './node/node-agent.ts';
import type { NodeAgent } from './node/node-agent-parts.ts';
import { createPodTokens } from './node/pod-tokens.ts';
import { createPrePuller } from './node/pre-puller.ts';
import { createReporter } from './node/reporter.ts';
import { waitingContainer } from './node/waiting-container.ts';
import { openBodyFiles } from './state/body-files.ts';
import { openDesiredFile } from './state/desired-file.ts';
import { openPodBook } from './state/pod-book.ts';
import { settleToRead } from './state/settle-to-read.ts';
import { openTokenFile } from './state/token-file.ts';
import { serveTunnel } from './sync/serve-tunnel.ts';
import { startSyncSession } from './sync/sync-session.ts';
import { createUsageReports } from './usage/usage-reports.ts';

export async function startAgentCore(parts: AgentCoreParts): Promise<AgentCore> {
  const { nodeName, dataDir, files, facts, gauges, settings, client, dialer, machineTime, version, logger } =
    parts;
  const unreadable = (what: string) => (error: unknown) =>
    logger.error({ err: error }, `${what} cannot be read or written; the agent goes on without it`);
  const bodiesDir = join(dataDir, 'bodies');
  for (const folder of [dataDir, bodiesDir]) await settleToRead(folder, logger, files);
  const bodies = await openBodyFiles(bodiesDir, files);
  const desired = await openDesiredFile(dataDir, unreadable('desired.pb'), files);
  const pods = await openPodBook(dataDir, unreadable('pods.json'), files);
  const events = loggedEvents(createAgentEvents(), logger, pods);
  const meters = createMeters();
  const engine = await openKeptEngine({
    dataDir,
    files,
    runtime: parts.runtime,
    images: settings.images,
    readDisk: gauges.disk,
    pods,
    bodies,
    desired,
    events,
    meters,
    logger,
    onUnreadable: unreadable('images.json'),
  });
  const { runtime } = engine;
  const monotonicNow = () => performance.now();
  let passedAt = monotonicNow();
  let shuttingDown = false;
  const pressure = createKeptPressure({
    nodeName,
    settings,
    read: () => gauges.levels({ nodefs: dataDir, imagefs: engine.info()?.rootDir }),
    events,
    monotonicNow,
  });
  const ownTaints = () => withPressure(parts.taints, pressure.now());
  const holds = await parts.openHolds((now, before) => {
    tellHolds(events, now, before);
    agent.wake();
    reporter.changed();
  });
  const ownLabels = () => ({ ...parts.labels, ...automaticLabels(nodeName, facts.now()) });

  const room = () => leftForPods(facts.now(), settings.reserved);

  const tokens = createPodTokens({
    file: await openTokenFile(dataDir, unreadable('tokens'), files),
    ask: (wanted) => session.wantToken(wanted),
    connected: () => session.connected(),
    monotonicNow,
    wallNow: () => Date.now(),
    onChange: () => agent.wake(),
    onRefused: (podUid, why) =>
      events.add({
        type: 'Warning',
        reason: 'FailedMount',
        message: `failed to fetch token: ${why}`,
        podUid,
      }),
    onFailure: unreadable('tokens'),
  });

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
    volumes: parts.volumes,
    mappedRoot: () => engine.info()?.mappedRoot,
    tokens,
    allocatable: { ...room(), cpus: room().cpuMilli / 1000 },
    machineMemoryBytes: facts.now().memoryBytes,
    room,
    takenPorts: parts.takenPorts,
    allowedUnsafeSysctls: settings.allowedUnsafeSysctls,
    terminationLogs: parts.terminationLogs,
    seccompDirectory: join(dataDir, 'seccomp'),
    minOomScoreAdjust: parts.minOomScoreAdjust,
    monotonicNow,
    machineTime,
    logger,
    onChange: () => reporter.changed(),
    onPass: (durationMs, failed) => {
      passedAt = monotonicNow();
      meters.passEnded(durationMs, failed);
      parts.onPass?.();
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
        runtimeVersion: engine.info()?.version,
        engineTrouble: agent.engineTrouble(),
        held: holdText(holds.current()),
        shuttingDown,
        pressure: pressure.now(),
        reserved: settings.reserved,
      }),
      holds: holds.current(),
      maintenance: maintenanceOf(parts),
      nodeIp: facts.now().ip,
      monotonicNow: monotonicNow(),
      machineTime: machineTime(),
      nowText: utcText(Date.now()),
    });
  const reporter = createReporter({
    build,
    events,
    settled: agent.settled,
    busy: agent.busy,
    listening: () => session.connected(),
    send: (report) => {
      session.report(report);
      meters.reportSent();
      engine.reported(report);
    },
    onFailure: (error) => logger.error({ err: error }, 'the report could not be made'),
  });

  const takeEffect = async (told: NodeDesired) => {
    agent.setDesired(told);
    engine.told(told);
    reporter.changed();
    const wanted = new Set([...bodiesOf(told), ...pods.all().flatMap((pod) => bodiesOfPod(bodies, pod))]);
    await bodies
      .keepOnly(wanted)
      .catch((error: unknown) => logger.warn({ err: error }, 'old bodies stay on disk'));
  };
  agent.setDesired(desired.current());

  const waiting = waitingContainer({ pods, bodies, agent, monotonicNow });
  const stopping = new AbortController();
  const prePuller = createPrePuller({ runtime, say: (state) => session.prePullState(state), logger });
  const session = startSyncSession({
    client,
    desired,
    bodies,
    agentVersion: version,
    instanceId: randomUUID(),
    machineId: parts.machineId,
    logger,
    onDesired: takeEffect,
    onPrePull: prePuller.take,
    onDisconnected: prePuller.breakOff,
    onConnected: () => {
      reporter.connected();
      tokens.connectedAnew();
    },
    onToken: tokens.issued,
    onTunnel: (request) => {
      serveTunnel({ client, runtime, dialer, waiting, signal: stopping.signal }, request).catch(
        (error: unknown) => logger.warn({ err: error }, 'a tunnel failed'),
      );
    },
    onUsageWanted: createUsageReports({
      take: gauges.usage,
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
  engine.keep(asking.signal, reporter.changed);
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
    node: agent,
    pods,
    desired,
    localPort: () => local?.port(),
    shutDown: async () => {
      shuttingDown = true;
      reporter.soon();
      logger.info('the machine is shutting down: pods are stopped');
      await agent
        .shutDown(settings.shutdownGraceMs)
        .catch((error: unknown) => logger.error({ err: error }, 'the pods could not all be stopped'));
    },
    stop: async () => {
      asking.abort();
      await local?.stop();
      stopping.abort();
      dialer.close();
      holds.close();
      reporter.stop();
      session.stop();
      prePuller.breakOff();
      await agent.stop();
      await tokens.stop();
      await engine.flush();
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
  api: before?.api,
});

const maintenanceOf = ({ timeZone, maintenanceWindows: windows }: AgentCoreParts): Maintenance => ({
  timeZone,
  ownWindows: windows && {
    windows: windows.map(({ schedule, duration, timeZone = '' }) => ({ schedule, duration, timeZone })),
  },
});
