// Tells once of each container that has ended and waits for its next start, as kubelet does: what the restarts wait for
// is to be found where people look for it.
import type { PodChoice } from '@fleetset/scheduler-core/node/choose-pods';
import { doubtUntil, isNoCrash } from '@fleetset/scheduler-core/node/lost-holder';
import type { ContainerMemory } from '@fleetset/scheduler-core/node/node-action';
import {
  containerKey,
  HOLDER,
  isSidecar,
  latest,
  type PodRecord,
  type SeenContainer,
} from '@fleetset/scheduler-core/node/pod-record';
import { waitingReason } from '@fleetset/scheduler-core/node/waiting-reason';
import type { PodSpec } from '@fleetset/scheduler-core/schema/pod';
import type { AgentEvents, NewEvent } from './agent-events.ts';

export interface BackOffLook {
  readonly pods: readonly PodChoice[];
  readonly containers: readonly SeenContainer[];
  readonly memory: ReadonlyMap<string, ContainerMemory>;
  readonly now: number;
}

export type TellBackOffs = (look: BackOffLook) => void;

export function createBackOffEvents(
  events: AgentEvents,
  about: (podUid: string, container: string) => Pick<NewEvent, 'podUid' | 'container' | 'init'>,
  specOf: (pod: PodRecord) => PodSpec | undefined,
): TellBackOffs {
  const told = new Set<string>();
  return ({ pods, containers, memory, now }) => {
    const present = new Set(containers.map(({ id }) => id));
    for (const id of told) if (!present.has(id)) told.delete(id);
    // What is being stopped is not started again.
    const restarted = pods.filter(({ bucket }) => bucket !== 'stop');
    const records = new Map(restarted.map(({ record }) => [record.uid, record]));
    for (const container of containers) {
      const { id, podUid, name, state } = container;
      const record = records.get(podUid);
      if (state !== 'exited' || name === HOLDER || !record || told.has(id)) continue;
      const own = containers.filter((other) => other.podUid === podUid);
      const spec = specOf(record);
      if (latest(name, own) !== container || isDone(container, spec)) continue;
      if (spec && (isNoCrash(container, spec, own) || doubtUntil(container, spec, own, now))) continue;
      const known = memory.get(containerKey(podUid, name));
      if (waitingReason(record, name, '', container, known, now)?.reason !== 'CrashLoopBackOff') continue;
      told.add(id);
      events.add({
        type: 'Warning',
        reason: 'BackOff',
        message: `Back-off restarting failed container ${name} in pod ${record.name}_${record.namespace}(${record.uid})`,
        ...about(podUid, name),
      });
    }
  };
}

/** An init container that has ended well is not restarted. */
const isDone = ({ name, exitCode }: SeenContainer, spec: PodSpec | undefined): boolean =>
  exitCode === 0 && (spec?.initContainers ?? []).some((one) => one.name === name && !isSidecar(one));
