// One pod of a DaemonSet runs on a node, and under a surge two: of those no more nodes have two than maxSurge, and one
// that serves is ended only where another does.
import type { NodeReport } from '@fleetset/proto/gen/fleetset/v1/node';
import type { FakeContainer } from '../../agent/test/fake-runtime.ts';
import type { BudgetLaw, GrantSeen } from './budget-law.ts';
import type { LawParts } from './law-parts.ts';
import type { Limits } from './limits.ts';
import type { Machine } from './machine.ts';
import { isApp, podUidOf, setUidOf, upPods } from './truth.ts';

export interface SurgeLaw {
  readonly onEngine: (machine: Machine) => void;
  readonly onEnd: (container: FakeContainer) => void;
  readonly onSaid: (report: NodeReport) => void;
  /** For another revision. Answers whether it surges. */
  readonly onUpdated: (machine: Machine, container: FakeContainer) => boolean;
}

export interface SurgeLawParts extends LawParts {
  readonly limits: Limits;
  readonly budget: Pick<BudgetLaw, 'setOut' | 'isLive'>;
}

interface Said {
  readonly available: boolean;
  readonly endsAt?: number;
  /** Another one was available. */
  readonly replaced?: boolean;
}

/** Between a look and the last of what is done for it. */
const UNDER_WAY_MS = 5000;

export function createSurgeLaw(parts: SurgeLawParts): SurgeLaw {
  const { time, trace, limits, budget } = parts;
  /** By node and DaemonSet: pods that ran at the last look. */
  const ran = new Map<string, ReadonlySet<string>>();
  /** By node and DaemonSet: when the agent last went by a surge. */
  const surgedAt = new Map<string, number>();
  /** By node and DaemonSet: since when it has, as far as was looked. */
  const surgesSince = new Map<string, number>();
  /** By pod: what its agent said of it before it began to end it, and as it began. */
  const said = new Map<string, Said>();
  /** Pods whose end has begun. */
  const ending = new Set<string>();
  const keyOf = (machine: Machine, uid: string) => `${machine.name}/${uid}`;

  const goesBySurge = (machine: Machine, uid: string): boolean =>
    machine
      .agent()
      ?.node.view()
      .desired.daemonSets.find((set) => set.uid === uid)?.surge === true;
  const noteSurges = (machine: Machine) => {
    for (const { uid, surge } of machine.agent()?.node.view().desired.daemonSets ?? []) {
      const key = keyOf(machine, uid);
      if (surge) surgedAt.set(key, time.now());
      if (!surge) surgesSince.delete(key);
      else if (!surgesSince.has(key)) surgesSince.set(key, time.now());
    }
  };
  /** The grant that a node with two pods was sent on its way by. */
  const surging = (machine: Machine, uid: string): GrantSeen | undefined => {
    const pods = ran.get(keyOf(machine, uid));
    const [oldest] = machine.engine
      .containers()
      .filter((one) => pods?.has(podUidOf(one)))
      .map(({ identity }) => identity.pod)
      .sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
    // An old pod that ends spends nothing any more.
    const left = [...(pods ?? [])].filter((pod) => !ending.has(pod));
    return oldest && left.length > 1 ? budget.setOut(uid, machine.name, oldest.revision) : undefined;
  };

  /** Who was down when it was granted another revision is granted it beyond the budget. */
  const mayHaveTwo = (machine: Machine, uid: string) => {
    const all = [...parts.machines()].flatMap((one) => {
      const grant = budget.isLive(one) ? surging(one, uid) : undefined;
      return grant?.wasUp ? [{ name: one.name, ...grant }] : [];
    });
    // One that fell silent on its way goes on when it returns; another set out meanwhile (ADR 12).
    const both = all.filter(({ name, at }) => !all.some((other) => other.at > at && other.aside.has(name)));
    // Some were granted it before the surge was switched on.
    const { surge, down } = limits.since(uid, Math.min(time.now(), ...both.map(({ at }) => at)));
    const names = both.map(({ name }) => name).join(', ');
    trace.note('laws', `${machine.name} runs two pods: ${names} of ${surge}`);
    if (both.length > Math.max(surge, down))
      trace.break('the surge', `${names} run two pods of ${uid}, ${surge} may`);
  };

  const look = (
    machine: Machine,
    uid: string,
    now: ReadonlySet<string>,
    before: readonly ReadonlySet<string>[],
  ) => {
    const key = keyOf(machine, uid);
    ran.set(key, now);
    // Two that ran for one DaemonSet, and were taken over by another together, are no news.
    const isNew = !before.some((those) => now.isSubsetOf(those));
    if (now.size < 2 || !isNew) return;
    const surges = time.now() - (surgedAt.get(key) ?? Number.NEGATIVE_INFINITY) < UNDER_WAY_MS;
    if (now.size > (surges ? 2 : 1))
      trace.break(
        surges ? 'two pods run at most' : 'one pod runs',
        `on ${machine.name} pods ${[...now].join(', ')} run together`,
      );
    else mayHaveTwo(machine, uid);
  };

  return {
    onEngine: (machine) => {
      noteSurges(machine);
      const pods = new Map<string, Set<string>>();
      for (const container of machine.engine.containers()) {
        if (container.state !== 'running' || !isApp(container)) continue;
        const uid = setUidOf(machine, container);
        pods.set(uid, (pods.get(uid) ?? new Set()).add(podUidOf(container)));
      }
      const before = [...ran].filter(([key]) => key.startsWith(`${machine.name}/`)).map(([, those]) => those);
      for (const key of ran.keys()) {
        const [name, uid = ''] = key.split('/');
        if (name === machine.name && !pods.has(uid)) ran.delete(key);
      }
      for (const [uid, those] of pods) look(machine, uid, those, before);
    },
    onEnd: (container) => void ending.add(podUidOf(container)),
    onSaid: ({ pods }) => {
      const up = pods.filter(({ available, unknown, terminating }) => available && !unknown && !terminating);
      for (const { uid, daemonSetUid, available, unknown, terminating } of pods)
        if (!terminating) said.set(uid, { available: available && !unknown });
        else {
          const replaced = up.some((other) => other.daemonSetUid === daemonSetUid);
          said.set(uid, { available: false, endsAt: time.now(), replaced, ...said.get(uid) });
          // The plane counts it no more from then on (ADR 12), and who has the image already starts at once.
          ending.add(uid);
        }
    },
    onUpdated: (machine, container) => {
      const uid = setUidOf(machine, container);
      const pod = podUidOf(container);
      // Its end may be told later.
      const told: Said = { available: false, endsAt: time.now(), ...said.get(pod) };
      said.set(pod, told);
      if (!goesBySurge(machine, uid)) return false;
      noteSurges(machine);
      const { available, endsAt = time.now(), replaced = false } = told;
      // It may have come up without the agent having seen it yet, or its end was decided long ago, or before the surge.
      if (
        !available ||
        endsAt < (surgesSince.get(keyOf(machine, uid)) ?? 0) ||
        time.now() - endsAt > UNDER_WAY_MS ||
        !upPods(machine, uid, UNDER_WAY_MS).includes(pod)
      )
        return true;
      const { desired, plan } = machine.agent()?.node.view() ?? {};
      const isOther = (other: string) => other !== pod;
      const isUp = upPods(machine, uid, desired?.minReadyMs.get(uid)).some(isOther);
      const wasUp = plan?.pods.some(
        ({ record }) =>
          machine.ownerOf(record.daemonSetUid) === uid &&
          isOther(record.uid) &&
          said.get(record.uid)?.available,
      );
      if (!isUp && !wasUp && !replaced)
        trace.break(
          'a surge takes nothing down',
          `${machine.name} ends ${container.identity.pod.name}, which serves, and no other pod does`,
        );
      return true;
    },
  };
}
