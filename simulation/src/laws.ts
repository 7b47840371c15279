// What must hold at every moment of a run, seen from outside: from the engines, the plane's disk and the wire.
import type { Store } from '@fleetset/plane/store/store';
import type { Generation, NodeReport, SyncRequest } from '@fleetset/proto/gen/fleetset/v1/node';
import { SyncResponse } from '@fleetset/proto/gen/fleetset/v1/node';
import type { RolloutRecord } from '@fleetset/scheduler-core/rollout/rollout-record';
import type { FakeContainer } from '../../agent/test/fake-runtime.ts';
import { createBudgetLaw } from './budget-law.ts';
import { createConfigLaw } from './config-law.ts';
import { createHoldLaw } from './hold-law.ts';
import type { LawParts } from './law-parts.ts';
import { createLimits } from './limits.ts';
import type { Machine } from './machine.ts';
import { createRestartLaw } from './restart-law.ts';
import { createSurgeLaw } from './surge-law.ts';
import type { Trace } from './trace.ts';
import { isApp } from './truth.ts';
import { createWindowLaw } from './window-law.ts';

export interface Laws {
  readonly onEngine: (machine: Machine) => void;
  readonly onEnd: (machine: Machine, container: FakeContainer) => void;
  readonly onSaid: (machine: Machine, request: SyncRequest) => void;
  readonly onHeard: (machine: Machine, request: SyncRequest) => void;
  /** Answers what kind of message it is. */
  readonly onTold: (machine: Machine, bytes: Buffer) => string | undefined;
  readonly onPlane: (store: Store) => void;
  /** Somebody did something to the pods of this node, or of this DaemonSet, that may end them. */
  readonly excuse: (about: {
    readonly node?: string;
    readonly setUid?: string;
    readonly podUid?: string;
  }) => void;
}

export function createLaws(parts: LawParts): Laws {
  const { trace } = parts;
  const limits = createLimits(parts.time);
  const windows = createWindowLaw(parts);
  const budget = createBudgetLaw({ ...parts, limits, onSetOut: windows.onSetOut });
  const { lastGrants } = budget;
  const holds = createHoldLaw(parts);
  const configs = createConfigLaw(parts);
  const surge = createSurgeLaw({ ...parts, limits, budget });
  const restarts = createRestartLaw(parts, lastGrants);
  const rollbacks = createRollbackLaw(trace);
  const generations = createGenerationLaw(trace);
  return {
    onEngine: (machine) => {
      surge.onEngine(machine);
      holds.onEngine(machine);
      configs.onEngine(machine);
      budget.onEngine(machine);
      restarts.onEngine(machine);
    },
    onEnd: (machine, container) => {
      if (!isApp(container)) return;
      surge.onEnd(container);
      const why = restarts.onEnd(machine, container);
      if (why !== 'update') return;
      holds.onUpdated(machine, container);
      if (!surge.onUpdated(machine, container)) budget.onTakenDown(machine, container);
    },
    onSaid: (machine, { message }) => {
      if (message?.$case === 'hello') generations.onHello(machine.name, message.value.accepted);
      if (message?.$case === 'heartbeat') generations.onAccepted(machine.name, message.value.generation);
      if (message?.$case !== 'report') return;
      everyPodInOneBucket(machine, trace);
      surge.onSaid(message.value);
      generations.onReport(machine.name, message.value.generation);
    },
    onHeard: (machine, { message }) => {
      if (message?.$case === 'report')
        trace.detail(machine.name, `has reported ${shownReport(message.value)}`);
      if (message && message.$case !== 'hello')
        budget.onHeard(machine, message.$case === 'report' ? message.value : undefined);
    },
    onTold: (machine, bytes) => {
      const { message } = SyncResponse.decode(bytes);
      if (message?.$case === 'desired') generations.onPlane(machine.name, message.value.generation);
      return message?.$case;
    },
    onPlane: (store) => {
      limits.follow(store);
      windows.onPlane(store);
      budget.onPlane(store);
      store.watch('fleetset/rollouts', store.version(), ({ id, value }) =>
        rollbacks.onRecord(id, value as unknown as RolloutRecord | undefined),
      );
    },
    excuse: restarts.excuse,
  };
}

const shownReport = ({ generation, pods }: NodeReport): string =>
  `${shown(generation)} ${pods
    .map((pod) => {
      const words = ['ready', 'available', 'unknown', 'terminating'] as const;
      return `${pod.name} of ${pod.revision}: ${words.filter((word) => pod[word]).join(' ')}`;
    })
    .join('; ')}`;

/** Of the pods in its book, and of no others, an agent decides each once; one that was born since the last look, or was
 *  forgotten since, is not in both. */
function everyPodInOneBucket(machine: Machine, trace: Trace): void {
  const agent = machine.agent();
  if (!agent) return;
  const uids = agent.node.view().plan.pods.map(({ record }) => record.uid);
  const twice = uids.find((uid, index) => uids.indexOf(uid) !== index);
  if (twice !== undefined)
    trace.break('every pod in one bucket', `on ${machine.name} pod ${twice} is in two`);
}

const compare = (a: Generation | undefined, b: Generation | undefined): number =>
  (a?.epoch ?? 0) - (b?.epoch ?? 0) || (a?.counter ?? 0) - (b?.counter ?? 0);
const shown = (one: Generation | undefined): string => (one ? `${one.epoch}.${one.counter}` : 'none');

/** What a node is told, and what it goes by, is never older than before. */
function createGenerationLaw(trace: Trace) {
  const gone = new Map<string, Generation | undefined>();
  const grows = (who: string, law: string, now: Generation | undefined) => {
    const before = gone.get(who);
    if (compare(now, before) < 0) trace.break(law, `${who}: ${shown(now)} after ${shown(before)}`);
    gone.set(who, now);
  };
  const AGENT = 'an older generation changes nothing';
  const onAccepted = (node: string, generation: Generation | undefined) =>
    grows(`${node} goes by`, AGENT, generation);
  return {
    onAccepted,
    onHello: (node: string, accepted: Generation | undefined) => {
      onAccepted(node, accepted);
      gone.delete(`${node} has planned by`);
    },
    /** What its last look went by; an agent that has just started has not looked. */
    onReport: (node: string, generation: Generation | undefined) =>
      grows(`${node} has planned by`, AGENT, generation),
    onPlane: (node: string, generation: Generation | undefined) =>
      grows(`${node} is told`, 'generations only grow', generation),
  };
}

/** What has failed is not tried again by itself, what was rolled back stays so, and the way back is not given up. */
function createRollbackLaw(trace: Trace) {
  const last = new Map<string, RolloutRecord>();
  const order = { Progressing: 0, Complete: 1, Stopped: 1, RollingBack: 1, RolledBack: 2 } as const;
  return {
    onRecord: (uid: string, now: RolloutRecord | undefined) => {
      const before = last.get(uid);
      if (now) last.set(uid, now);
      if (now && (now.phase !== before?.phase || now.newest !== before.newest))
        trace.note('plane', `the rollout of ${uid} to ${now.newest} is ${now.phase} ${now.message}`);
      if (!now || !before || before.newest !== now.newest || before.retry !== now.retry) return;
      const isGivenUp = before.phase === 'RollingBack' && now.phase === 'Stopped' && now.stable !== undefined;
      if (order[now.phase] < order[before.phase] || isGivenUp)
        trace.break('a rollback ends', `${uid}: ${now.newest} is ${now.phase} after ${before.phase}`);
    },
  };
}
