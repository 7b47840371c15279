// How the node's containers are: asked by their probes, as long as they run and no hook holds them.
import type { NodePlan } from '@fleetset/scheduler-core/node/plan-node';
import { allContainers, HOLDER, type PodRecord } from '@fleetset/scheduler-core/node/pod-record';
import type { MachineTime } from '@fleetset/scheduler-core/node/ready-since';
import { createProber, type ProbedContainer } from '../probes/prober.ts';
import { runProbe } from '../probes/run-probe.ts';
import type { ContainerRuntime, RuntimeContainer } from '../runtime/container-runtime.ts';
import type { BodyFiles } from '../state/body-files.ts';
import type { PodBook } from '../state/pod-book.ts';
import type { AgentEvents, NewEvent } from './agent-events.ts';
import { templateOf } from './desired-state.ts';
import { wasReady } from './pod-health.ts';
import type { RunningHooks } from './running-hooks.ts';

export interface CheckParts {
  readonly runtime: ContainerRuntime;
  readonly bodies: BodyFiles;
  readonly pods: Pick<PodBook, 'get'>;
  readonly machineTime: () => MachineTime;
  readonly events: AgentEvents;
  readonly hooks: Pick<RunningHooks, 'has'>;
  /** Which container an event is about. */
  readonly about: (podUid: string, container: string) => Pick<NewEvent, 'podUid' | 'container' | 'init'>;
  readonly podIpOf: (pod: PodRecord, containers: readonly RuntimeContainer[]) => string | undefined;
  /** A verdict has changed. */
  readonly onVerdict: () => void;
  /** Something that a report shows has changed. */
  readonly onChange: () => void;
}

export interface ContainerChecks {
  /** `plan`: of pods that it stops, liveness is not asked any more. */
  readonly sync: (containers: readonly RuntimeContainer[], plan: NodePlan) => void;
  readonly healthOf: ReturnType<typeof createProber>['healthOf'];
  readonly isKnown: (containerId: string) => boolean;
  readonly unhealthy: (
    containers: readonly RuntimeContainer[],
  ) => ReadonlyMap<string, 'startup' | 'liveness'>;
  /** What ran before the first look has been asked. */
  readonly settled: () => boolean;
  readonly stop: () => void;
}

const LABELS = { startup: 'Startup', liveness: 'Liveness', readiness: 'Readiness' };

export function createContainerChecks(parts: CheckParts): ContainerChecks {
  const { runtime, bodies, hooks } = parts;
  /** Containers that ran before this agent's first look. */
  let before: ReadonlySet<string> | undefined;
  const prober = createProber({
    run: (target, probe, signal) => runProbe(runtime, target, probe, signal),
    onChange: parts.onVerdict,
    onFailed: ({ podUid, container }, kind, message) => {
      parts.events.add({
        type: 'Warning',
        reason: 'Unhealthy',
        message: `${LABELS[kind]} probe failed: ${message}`,
        ...parts.about(podUid, container.name),
      });
      parts.onChange();
    },
  });

  const probed = (containers: readonly RuntimeContainer[], ending: ReadonlySet<string>) =>
    containers.flatMap((container): ProbedContainer[] => {
      const { id, identity, state, startedAt } = container;
      if (state !== 'running' || identity.name === HOLDER || hooks.has(id)) return [];
      const template = templateOf(bodies, identity.pod);
      const spec = template?.spec && allContainers(template.spec).find(({ name }) => name === identity.name);
      if (!spec) return [];
      const podIp = parts.podIpOf(identity.pod, containers);
      const readopted = before?.has(id) ?? false;
      const ranForMs = Math.max(0, Date.now() - Date.parse(startedAt ?? '')) || 0;
      const { seen } = parts.pods.get(identity.pod.uid) ?? {};
      return [
        {
          containerId: id,
          container: spec,
          podUid: identity.pod.uid,
          ranForMs,
          readopted,
          wasReady: readopted && wasReady(seen, { id, ranForMs }, parts.machineTime()),
          ending: ending.has(identity.pod.uid),
          ...(podIp === undefined ? {} : { podIp }),
        },
      ];
    });

  return {
    sync: (containers, plan) => {
      before ??= new Set(containers.filter(({ state }) => state === 'running').map(({ id }) => id));
      const stopped = plan.pods.filter(({ bucket }) => bucket === 'stop');
      prober.sync(probed(containers, new Set(stopped.map(({ record }) => record.uid))));
    },
    healthOf: prober.healthOf,
    isKnown: (id) => hooks.has(id) || prober.isKnown(id),
    unhealthy: (containers) =>
      new Map(
        containers.flatMap(({ id, state }): [string, 'startup' | 'liveness'][] => {
          const kind = state === 'running' ? prober.healthOf(id)?.unhealthy : undefined;
          return kind ? [[id, kind]] : [];
        }),
      ),
    settled: () => before !== undefined && prober.settled(),
    stop: prober.stop,
  };
}
