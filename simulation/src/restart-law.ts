// Nothing is ended without a reason: another revision was granted, somebody deleted the pod, the node or the DaemonSet,
// the pod does not belong there any more, or what its containers share is gone. And what crashed comes back in the same pod.
import { HOLDER } from '@fleetset/scheduler-core/node/pod-record';
import type { FakeContainer } from '../../agent/test/fake-runtime.ts';
import { isSick } from './apps.ts';
import type { GrantSeen } from './budget-law.ts';
import type { LawParts } from './law-parts.ts';
import type { Machine } from './machine.ts';
import { appIn, decisionFor, isApp, podUidOf, setsIn, setUidOf } from './truth.ts';

export type WhyEnded = 'update' | 'excused';

export interface RestartLaw {
  readonly onEngine: (machine: Machine) => void;
  readonly onEnd: (machine: Machine, container: FakeContainer) => WhyEnded | undefined;
  readonly excuse: (about: {
    readonly node?: string;
    readonly setUid?: string;
    readonly podUid?: string;
  }) => void;
}

interface Excuse {
  readonly at: number;
  readonly node?: string;
  readonly setUid?: string;
  readonly podUid?: string;
}

/** Between a grant and the first container that is made for it. */
const BIRTH_MS = 5000;

export function createRestartLaw(
  parts: LawParts,
  lastGrants: (setUid: string, node: string) => readonly GrantSeen[],
): RestartLaw {
  const { time, trace } = parts;
  const excuses: Excuse[] = [];
  /** When the first container of each pod was seen. */
  const bornAt = new Map<string, number>();
  const ran = new Set<string>();
  /** Pods that were ended for a reason. */
  const ended = new Set<string>();
  /** Those of them that ended for good, not for another revision. */
  const excused = new Set<string>();
  /** By node and DaemonSet: a container of the pod that was born last. */
  const newest = new Map<string, FakeContainer>();

  const isExcused = (machine: Machine, container: FakeContainer): boolean => {
    const born = bornAt.get(podUidOf(container)) ?? 0;
    const fits = (excuse: Excuse) =>
      (excuse.node === undefined || excuse.at >= born) &&
      (excuse.node === undefined || excuse.node === machine.name) &&
      (excuse.setUid === undefined || excuse.setUid === setUidOf(machine, container)) &&
      (excuse.podUid === undefined || excuse.podUid === podUidOf(container));
    if (excuses.some(fits) || isSick(appIn(container), machine.ranForMs(container))) return true;
    const store = parts.store();
    // A machine that was taken out of the fleet stops all, also what it made before it heard of it.
    if (store && !store.get('core/nodes', machine.name)) return true;
    // What a DaemonSet left behind runs on.
    if (parts.orphans.isNobodys(container.identity.pod.daemonSetUid))
      return hasLostHolder(machine, container);
    const set = store && setsIn(store).find(({ metadata }) => metadata.uid === setUidOf(machine, container));
    if (!store || !set || decisionFor(store, machine.name, set) === 'Leave') return true;
    return hasLostHolder(machine, container);
  };

  const isOtherGranted = (machine: Machine, container: FakeContainer, since: number): boolean => {
    const { revision: has, daemonSetUid } = container.identity.pod;
    // Who has not heard of another owner goes on as it was told by the one before.
    return parts.orphans.ownersOf(daemonSetUid).some((uid) => {
      const granted = lastGrants(uid, machine.name);
      const last = granted.findLastIndex(({ at }) => at <= since - BIRTH_MS);
      return granted.slice(Math.max(0, last)).some(({ revision }) => revision !== has);
    });
  };

  /** Of a surge that was called off the old pod stays: what comes later replaces that one. */
  const wasCalledOff = (machine: Machine, { identity }: FakeContainer): boolean => {
    const { uid, revision, daemonSetName } = identity.pod;
    const stays = (one: FakeContainer) =>
      isApp(one) &&
      one.state === 'running' &&
      one.identity.pod.daemonSetName === daemonSetName &&
      one.identity.pod.revision !== revision;
    return ended.has(uid) && machine.engine.containers().some(stays);
  };

  /** A pod that comes after one of the same revision needs a reason too. */
  const isBorn = (machine: Machine, container: FakeContainer) => {
    const { uid, name, revision, daemonSetName } = container.identity.pod;
    // By name: another one of that name may take over what the one before left behind.
    const key = `${machine.name}/${daemonSetName}`;
    const before = newest.get(key);
    bornAt.set(uid, time.now());
    // The container of one that came before, and took longer to make.
    if (before && before.identity.pod.createdAt > container.identity.pod.createdAt) return;
    if (
      before?.identity.pod.revision === revision &&
      // One that was only prepared was no pod yet.
      ran.has(podUidOf(before)) &&
      !wasCalledOff(machine, before) &&
      !excused.has(podUidOf(before)) &&
      !isExcused(machine, before) &&
      !isOtherGranted(machine, before, bornAt.get(podUidOf(before)) ?? 0)
    )
      trace.break(
        'no needless restart',
        `${machine.name} replaces ${before.identity.pod.name} by ${name}, both of ${revision}`,
      );
    newest.set(key, container);
  };

  const whyEnded = (machine: Machine, container: FakeContainer): WhyEnded | undefined => {
    if (isExcused(machine, container)) return 'excused';
    if (isOtherGranted(machine, container, bornAt.get(podUidOf(container)) ?? 0)) return 'update';
    // What has begun to end ends, whoever has taken it over meanwhile.
    return excused.has(podUidOf(container)) ? 'excused' : undefined;
  };

  return {
    onEngine: (machine) => {
      for (const container of machine.engine.containers()) {
        if (!bornAt.has(podUidOf(container))) isBorn(machine, container);
        if (container.state === 'running' && isApp(container)) ran.add(podUidOf(container));
      }
    },
    onEnd: (machine, container) => {
      const { revision } = container.identity.pod;
      trace.note(
        machine.name,
        `ends ${container.identity.pod.name}/${container.identity.name} of ${revision}`,
      );
      const why = whyEnded(machine, container);
      if (why) {
        ended.add(podUidOf(container));
        if (why === 'excused') excused.add(podUidOf(container));
        return why;
      }
      const granted = lastGrants(setUidOf(machine, container), machine.name);
      trace.break(
        'no needless restart',
        `${machine.name} ends ${container.identity.pod.name} of ${revision}, granted: ${granted.map((one) => one.revision).join(', ')}`,
      );
      return undefined;
    },
    excuse: (about) => void excuses.push({ at: time.now(), ...about }),
  };
}

function hasLostHolder({ engine }: Machine, { settings, identity }: FakeContainer): boolean {
  const { network, ipcOf } = settings;
  const holderId = typeof network === 'object' ? network.holderId : ipcOf;
  if (holderId === undefined) return false;
  const holder = engine.containers().find(({ id }) => id === holderId);
  const newer = engine
    .containers()
    .some(
      (one) =>
        !isApp(one) &&
        one.identity.name === HOLDER &&
        one.identity.pod.uid === identity.pod.uid &&
        one.identity.attempt > (identity.holderAttempt ?? 0),
    );
  return holder?.state !== 'running' || newer;
}
