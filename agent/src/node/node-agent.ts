// One node: looks at the engine, plans with scheduler-core, does what is possible, and says what is so.

import type { NodeDesired } from '@fleetset/proto/gen/fleetset/v1/node';
import { startLevelLoop } from '@fleetset/scheduler-core/level-loop';
import type { FailedPodBackOff } from '@fleetset/scheduler-core/node/finished-pods';
import { actionKey } from '@fleetset/scheduler-core/node/node-action';
import { planNode } from '@fleetset/scheduler-core/node/plan-node';
import { containerKey, type PodRecord } from '@fleetset/scheduler-core/node/pod-record';
import type { PodTemplateSpec } from '@fleetset/scheduler-core/schema/pod';
import { createPacer } from '../pacer.ts';
import { pause } from '../pause.ts';
import { type RuntimeContainer, RuntimeError } from '../runtime/container-runtime.ts';
import { createActionOutcomes } from './action-outcomes.ts';
import { about, type ExecuteParts } from './action-parts.ts';
import { createActionRunner, HOLD_AFTER_FAILURE_MS } from './action-runner.ts';
import { askView } from './ask-view.ts';
import { createBackOffEvents } from './back-off-events.ts';
import { createBlockedStarts } from './blocked-starts.ts';
import { createContainerChecks } from './container-checks.ts';
import { resolveDesired, snapshotsOf, templateOf, unresolvedSets } from './desired-state.ts';
import { createEndedContainers } from './ended-containers.ts';
import { createEngineWatch } from './engine-watch.ts';
import { executeAction } from './execute-action.ts';
import { knowEngine } from './known-engine.ts';
import { createLastWords } from './last-words.ts';
import { createLiveVolumes } from './live-volumes.ts';
import { createLooks, type Look } from './looks.ts';
import { createNextLook } from './next-look.ts';
import type { NodeAgent, NodeAgentParts } from './node-agent-parts.ts';
import { generationOf, leaveAlone, NOTHING_TOLD, type NodeView, newestHolder } from './node-view.ts';
import { placementNode } from './placement-node.ts';
import { planPods } from './planned-pods.ts';
import { podConfig } from './pod-config.ts';
import { plannedHealth, podHealth } from './pod-health.ts';
import { volumePod } from './prepare-container.ts';
import { createRunningHooks } from './running-hooks.ts';
import { stopAllPods } from './stop-all-pods.ts';
import { takeOver } from './take-over.ts';
import { timedPass } from './timed-pass.ts';
import { createUnbornPods } from './unborn-pods.ts';

const RESYNC_MS = 60_000;
/** Looks at many containers, one after the other, are fewer, so that what happens to them at once is seen together. The
 *  next step of a few must not wait. */
const LOOKS = { share: 1 / 16, creditMs: 100, mostRestMs: 200 };
/** Most of what is done about a container has ended by then; a pull has not. */
const MOMENT_MS = 150;
/** What is under way at a stop may end; but not for ever. */
const STOP_PATIENCE_MS = 1500;

export function startNodeAgent(parts: NodeAgentParts): NodeAgent {
  const { pods, bodies, logger, monotonicNow } = parts;
  const runtime = knowEngine(parts.runtime);
  const stopping = new AbortController();
  const outcomes = createActionOutcomes(parts.events, logger, (podUid, container) =>
    aboutContainer(podUid, container),
  );
  const runner = createActionRunner({
    execute: (action) => {
      looks.begun(action);
      begunAt = monotonicNow();
      return executeAction(executeParts, action);
    },
    // A container that may start once it is made is started at once: a look in between would take longer than either.
    mayFollow: (action) =>
      view.generation === told?.generation && view.plan.startable?.has(actionKey(action)) === true,
    outcomes,
    logger,
    onEnded: () => wake(),
    signal: stopping.signal,
  });
  const { memory } = outcomes;
  const ended = createEndedContainers();
  const failedPods = new Map<string, FailedPodBackOff>();
  const hooks = createRunningHooks();
  const nextLook = createNextLook();
  const restAfter = createPacer(LOOKS);
  const starts = createBlockedStarts(parts);
  const unborn = createUnbornPods(parts.events);
  const engine = createEngineWatch({ runtime, logger, monotonicNow, onTrouble: parts.onChange });
  const looks = createLooks(engine, () => runner.busy, monotonicNow);
  let begunAt = Number.NEGATIVE_INFINITY;
  let told: NodeDesired | undefined;
  let view: NodeView = { unseen: true, containers: [], plan: leaveAlone(pods.all()), desired: NOTHING_TOLD };

  const wake = () => {
    looks.news();
    loop.wake();
  };
  const aboutContainer = (podUid: string, container: string) => {
    const record = pods.get(podUid)?.record;
    return record ? about(executeParts, record, container) : { podUid, container };
  };
  const tellBackOffs = createBackOffEvents(
    parts.events,
    aboutContainer,
    (pod) => templateOf(bodies, pod)?.spec,
  );
  const podIpOf = (pod: PodRecord, containers: readonly RuntimeContainer[]) =>
    templateOf(bodies, pod)?.spec?.hostNetwork ? parts.nodeIp() : newestHolder(containers, pod.uid)?.ip;
  const checks = createContainerChecks({
    runtime,
    bodies,
    pods,
    machineTime: parts.machineTime,
    events: parts.events,
    hooks,
    about: aboutContainer,
    podIpOf,
    onVerdict: () => {
      wake();
      parts.onChange();
    },
    onChange: parts.onChange,
  });

  const lastWords = createLastWords({
    runtime,
    logs: parts.terminationLogs,
    templateOf: (pod) => templateOf(bodies, pod),
    onChange: parts.onChange,
    signal: stopping.signal,
  });

  const pass = async () => {
    const beganAt = monotonicNow();
    try {
      const look = await looks.next();
      const isList = look.confirmInMs === undefined;
      // To wait for the engine's word on one container is no work.
      const workedSince = isList ? beganAt : monotonicNow();
      const { againInMs } = await plan(look);
      return {
        againInMs: Math.min(againInMs, look.confirmInMs ?? againInMs),
        restMs: restAfter(workedSince, monotonicNow()),
      };
    } finally {
      nextLook.over();
    }
  };

  const plan = async ({ containers, goneAt }: Look) => {
    if (goneAt !== undefined) {
      ended.engineIsBack(goneAt);
      outcomes.engineIsBack();
    }
    parts.tokens.sync(new Set(pods.all().map(({ record }) => record.uid)));
    adopt(containers);
    if (told) takeOver(pods, told, logger);
    await liveVolumes.tidy();
    lastWords.sync(containers);
    const desired = told ? resolveDesired(told, bodies) : undefined;
    if (!told || !desired) {
      // Nothing is known of what should run here: what runs is left alone, and shown.
      view = { containers, plan: leaveAlone(pods.all()), desired: NOTHING_TOLD, ...generationOf(told) };
      checks.sync(containers, view.plan);
      parts.onChange();
      return { againInMs: RESYNC_MS };
    }
    for (const [uid, snapshot] of snapshotsOf(told, pods.all())) pods.setConfig(uid, snapshot);
    const untouched = unresolvedSets(told, bodies);
    const sources = healthSources();
    // What has just started is known to the prober before it is planned with.
    checks.sync(containers, view.plan);
    const taken = await starts.portsInTheWay(containers, untouched);
    const now = monotonicNow();
    const held = parts.held();
    const seen = containers.map((container) =>
      ended.seen(container, checks.healthOf(container.id), now, goneAt !== undefined),
    );
    const planned = planNode({
      ...(held === undefined ? {} : { held }),
      now,
      node: placementNode(parts, desired),
      daemonSets: desired.daemonSets,
      tombstones: desired.tombstones,
      orphans: desired.orphans,
      machine: {
        os: parts.ownLabels()['kubernetes.io/os'] ?? process.platform,
        allowedUnsafeSysctls: parts.allowedUnsafeSysctls ?? [],
      },
      failedPods,
      pods: planPods({ pods, bodies, configOf }, untouched, (record) => {
        const minReadyMs = desired.minReadyMs.get(record.daemonSetUid) ?? 0;
        return plannedHealth(podHealth(sources, record, containers, minReadyMs), now);
      }),
      containers: seen,
      busy: looks.underWay(),
      memory,
      unhealthy: checks.unhealthy(containers),
      room: parts.room(),
      taken,
    });
    starts.tell(planned);
    tellBackOffs({ pods: planned.pods, containers: seen, memory, now });
    unborn.tell(planned);
    const alone = leaveAlone(pods.all().filter(({ record }) => untouched.has(record.daemonSetUid)));
    view = {
      containers,
      plan: { ...planned, pods: [...planned.pods, ...alone.pods] },
      desired,
      ...generationOf(told),
    };
    for (const { record, bucket } of planned.pods)
      if (bucket === 'stop') {
        announceEnd(record.uid);
        hooks.breakOff(record.uid);
      }
    for (const action of planned.actions) {
      if (!runner.launch(action)) continue;
      if (action.kind === 'discard' && action.backOff) failedPods.set(action.daemonSetUid, action.backOff);
    }
    liveVolumes.sync(containers, planned);
    checks.sync(containers, planned);
    forgetEnded(containers);
    parts.onChange();
    const untilNext =
      planned.nextAt === undefined ? RESYNC_MS : Math.max(0, planned.nextAt - monotonicNow()) + 1;
    return { againInMs: Math.min(untilNext, RESYNC_MS) };
  };

  const announceEnd = (podUid: string) => {
    pods.setEnding(podUid).catch((error: unknown) => {
      logger.warn({ err: error, pod: podUid }, 'that the pod ends is not on disk');
    });
  };

  const loop = startLevelLoop({
    pass: timedPass(pass, monotonicNow, parts.onPass),
    schedule: (delayMs, callback) => {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
    onFailure: (error, retryInMs) => {
      const expected = error instanceof RuntimeError;
      if (expected) logger.warn({ retryInMs }, error.message);
      else logger.error({ err: error, retryInMs }, 'the node loop failed');
    },
  });

  const adopt = (containers: readonly RuntimeContainer[]) => {
    for (const { identity } of containers) if (!pods.get(identity.pod.uid)) pods.adopt(identity.pod);
  };

  const healthSources = () => ({
    pods,
    bodies,
    machineTime: parts.machineTime(),
    healthOf: checks.healthOf,
    isKnown: checks.isKnown,
  });

  const configOf = (pod: PodRecord, template: PodTemplateSpec) =>
    podConfig({ told, bodies, tokens: parts.tokens }, pod, template, pods.get(pod.uid)?.config);

  const liveVolumes = createLiveVolumes({
    volumes: parts.volumes,
    pods,
    logger,
    podOf: (record) => {
      const template = templateOf(bodies, record);
      // Whose its volumes are, the engine has not said yet.
      if (template?.spec?.hostUsers === false && parts.mappedRoot() === undefined) return undefined;
      return template && volumePod(executeParts, record, template, executeParts.podIp(record.uid));
    },
    hold: () => pause(HOLD_AFTER_FAILURE_MS, stopping.signal),
    wake,
    onFailure: (podUid, { message }) => {
      logger.warn({ pod: podUid }, message);
      parts.events.add({ type: 'Warning', reason: 'FailedMount', message, podUid });
      parts.onChange();
    },
  });

  const forgetEnded = (containers: readonly RuntimeContainer[]) => {
    ended.keepOnly(containers);
    const uids = new Set(pods.all().map(({ record }) => record.uid));
    const sets = new Set(told?.daemonSets.map(({ uid }) => uid));
    for (const uid of failedPods.keys()) if (!sets.has(uid)) failedPods.delete(uid);
    outcomes.keepOnly(uids);
  };

  const executeParts: ExecuteParts = {
    nodeName: parts.nodeName,
    runtime,
    pods,
    events: parts.events,
    volumes: parts.volumes,
    tokens: parts.tokens,
    nodeIp: parts.nodeIp,
    allocatable: parts.allocatable,
    mappedRoot: parts.mappedRoot,
    machineMemoryBytes: parts.machineMemoryBytes,
    api: () => told?.api,
    configOf,
    minOomScoreAdjust: parts.minOomScoreAdjust,
    terminationLogs: parts.terminationLogs,
    seccompDirectory: parts.seccompDirectory,
    monotonicNow,
    templateOf: (pod) => templateOf(bodies, pod),
    ...askView(() => view),
    podIp: (podUid) => {
      const record = pods.get(podUid)?.record;
      return record && podIpOf(record, view.containers);
    },
    hooks,
    nextLook: nextLook.wait,
    signal: stopping.signal,
  };

  engine.follow(wake, stopping.signal);
  loop.wake();

  return {
    setDesired: (desired) => {
      told = desired;
      // Until there is a look, what is known of the pods is judged by what was told, minReadySeconds above all.
      if (view.unseen && told) view = { ...view, desired: resolveDesired(told, bodies) };
      wake();
    },
    wake,
    view: () => view,
    memoryOf: (podUid, container) => memory.get(containerKey(podUid, container)),
    endedAt: ended.at,
    endedWithEngine: ended.withEngine,
    healthOf: checks.healthOf,
    isKnown: checks.isKnown,
    inHook: hooks.has,
    lastWordsOf: lastWords.of,
    engineTrouble: engine.trouble,
    busy: () => (monotonicNow() - begunAt < MOMENT_MS ? runner.busy.size : 0),
    settled: () => engine.looked() && (engine.trouble() !== undefined || checks.settled()),
    shutDown: async (limitMs) => {
      runner.close();
      parts.onChange();
      await stopAllPods(executeParts, pods, runner.underWay(), limitMs);
      wake();
    },
    stop: async () => {
      stopping.abort();
      checks.stop();
      await loop.stop();
      const patience = new AbortController();
      await Promise.race([Promise.all(runner.underWay()), pause(STOP_PATIENCE_MS, patience.signal)]);
      patience.abort();
      await pods.flush();
    },
  };
}
