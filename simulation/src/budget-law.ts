// The budget, as somebody sees it who knows every engine: a node that was up and whose pod is ended for another revision
// is *taken down*, until it is up again (all its containers ready for minReadySeconds). Of the nodes that live, never more
// are taken down than maxUnavailable; and none is taken down while so many are down already, for whatever reason the
// plane has had time to hear of.
import { orphanedSets } from '@fleetset/plane/fleet/orphans';
import { TOMBSTONES } from '@fleetset/plane/fleet/tombstones';
import type { Store } from '@fleetset/plane/store/store';
import type { NodeReport } from '@fleetset/proto/gen/fleetset/v1/node';
import type { FakeContainer } from '../../agent/test/fake-runtime.ts';
import type { LawParts } from './law-parts.ts';
import type { Limits } from './limits.ts';
import type { Machine } from './machine.ts';
import { appIn, decisionFor, isUp, type StoredSet, setsIn, setUidOf, upPods, upRevisions } from './truth.ts';

export interface GrantSeen {
  readonly revision: string;
  readonly at: number;
  /** The node was up then, and had said so to the plane. */
  readonly wasUp: boolean;
  /** Nodes that were set aside then and had taken in what they were granted before. */
  readonly aside: ReadonlySet<string>;
}

export interface BudgetLaw {
  readonly onEngine: (machine: Machine) => void;
  readonly onHeard: (machine: Machine, report: NodeReport | undefined) => void;
  readonly onTakenDown: (machine: Machine, container: FakeContainer) => void;
  readonly onPlane: (store: Store) => void;
  /** The plane has not set it aside, and is not about to. */
  readonly isLive: (machine: Machine) => boolean;
  /** The first grant that took the node away from what it runs, if none brought it back since. */
  readonly setOut: (setUid: string, node: string, runs: string) => GrantSeen | undefined;
  /** What a node was granted, the newest last. */
  readonly lastGrants: (setUid: string, node: string) => readonly GrantSeen[];
}

/** Between what is heard and what is thought of it. */
const SLACK_MS = 1000;
/** As long as it may take from a report to the plan that counts with it. */
const KNOWN_MS = 1000;
const minReadyMs = (set: StoredSet): number => (set.spec?.minReadySeconds ?? 0) * 1000;

export interface BudgetLawParts extends LawParts {
  readonly limits: Limits;
  /** A node that is up is granted another revision. */
  readonly onSetOut: (set: StoredSet, node: string, revision: string) => void;
}

export function createBudgetLaw(parts: BudgetLawParts): BudgetLaw {
  const { time, trace, graceMs, limits } = parts;
  const grants = new Map<string, GrantSeen[]>();
  /** By DaemonSet: nodes that are taken down, since when, and when they were granted what comes. */
  const down = new Map<string, Map<string, { readonly machine: Machine; readonly grantedAt: number }>>();
  const said = new Map<string, NodeReport>();
  const saidAt = new Map<string, number>();
  const heardAt = new Map<string, number>();

  const lastGrants = (uid: string, node: string) => grants.get(`${uid}/${node}`) ?? [];
  const setOut: BudgetLaw['setOut'] = (uid, node, runs) => {
    const all = lastGrants(uid, node);
    return all[all.findLastIndex(({ revision }) => revision === runs) + 1];
  };
  const setOf = (uid: string): StoredSet | undefined => {
    const store = parts.store();
    return store && setsIn(store).find(({ metadata }) => metadata.uid === uid);
  };

  const isLive = ({ name }: Machine): boolean =>
    time.now() - (heardAt.get(name) ?? Number.NEGATIVE_INFINITY) < graceMs - SLACK_MS;

  const settle = (uid: string) => {
    const set = setOf(uid);
    const those = down.get(uid);
    const store = parts.store();
    if (!those || !store) return;
    for (const [name, { machine }] of those) {
      const wanted = set && decisionFor(store, name, set) === 'Run';
      if (!wanted || !isLive(machine) || isUp(machine, uid, minReadyMs(set))) those.delete(name);
    }
  };

  const wasUp = (uid: string, node: string): boolean => {
    const machine = [...parts.machines()].find(({ name }) => name === node);
    const told = said
      .get(node)
      ?.pods.some(
        (pod) =>
          machine?.ownerOf(pod.daemonSetUid) === uid && pod.available && !pod.unknown && !pod.terminating,
      );
    return machine !== undefined && told === true && isUp(machine, uid);
  };

  /** What it was granted for a DaemonSet that left its pods to this one: it was sent on its way then. */
  const inherited = (store: Store, uid: string, node: string, revision: string): GrantSeen | undefined =>
    orphanedSets(store)
      .filter(({ adopter }) => adopter?.uid === uid)
      .map((set) => lastGrants(set.uid, node).at(-1))
      .find((grant) => grant?.revision === revision);

  /** Nodes that are down, and have said so long enough ago for the plane to know. */
  const knownDown = (store: Store, set: StoredSet): string[] =>
    [...parts.machines()]
      .filter((machine) => {
        const { uid } = set.metadata;
        const told = said.get(machine.name);
        const saysUp = told?.pods.some((pod) => machine.ownerOf(pod.daemonSetUid) === uid && pod.available);
        const settled = time.now() - (saidAt.get(machine.name) ?? time.now()) > KNOWN_MS;
        const placed = told?.placements.find((one) => one.daemonSetUid === uid)?.decision === 'Run';
        const counts =
          settled && placed && isLive(machine) && decisionFor(store, machine.name, set) === 'Run';
        return counts && !saysUp && !isUp(machine, uid);
      })
      .map(({ name }) => name);

  /** It is on its disk. */
  const hasTakenIn = (machine: Machine, uid: string): boolean => {
    const granted = lastGrants(uid, machine.name).at(-1)?.revision;
    return machine.acceptedRevision(uid) === granted;
  };

  /** A node that is up is granted another revision: one more is about to go down. */
  const mayGoDown = (uid: string, node: string, revision: string, surge: boolean) => {
    const set = setOf(uid);
    const store = parts.store();
    const machine = [...parts.machines()].find(({ name }) => name === node);
    if (!set || !store || !machine || upRevisions(machine, uid).includes(revision)) return;
    // Somebody deleted its pod: it goes down anyhow.
    if ([...store.list(TOMBSTONES)].some(({ value }) => value.node === node)) return;
    parts.onSetOut(set, node, revision);
    // Under a surge nothing goes down for it.
    if (surge) return;
    const others = knownDown(store, set).filter((name) => name !== node);
    const limit = limits.since(uid, time.now()).down;
    if (others.length >= limit)
      trace.break(
        'the budget',
        `${set.metadata.name}: ${node} is granted ${revision} while ${others.join(', ')} are down, ${limit} may be`,
      );
  };

  return {
    isLive,
    setOut,
    lastGrants,
    onHeard: ({ name }, report) => {
      heardAt.set(name, time.now());
      if (!report) return;
      said.set(name, report);
      saidAt.set(name, time.now());
    },
    onEngine: (machine) => {
      for (const [uid, those] of down) if (those.has(machine.name)) settle(uid);
      // A container becomes ready by the passing of time alone.
      for (const container of machine.engine.containers()) {
        const uid = setUidOf(machine, container);
        if (container.state !== 'running' || !down.get(uid)?.has(machine.name)) continue;
        const set = setOf(uid);
        const ms =
          (appIn(container).readyMs ?? 0) + (set ? minReadyMs(set) : 0) - machine.ranForMs(container);
        if (ms > 0) parts.later(ms + 0.01, () => settle(uid));
      }
    },
    onTakenDown: (machine, container) => {
      const uid = setUidOf(machine, container);
      const set = setOf(uid);
      const grant = lastGrants(uid, machine.name).at(-1);
      // Who was down when it was granted what comes had nothing to lose.
      if (!set || !grant?.wasUp || !isLive(machine) || !isUp(machine, uid)) return;
      // What began as a surge ends as one, also when the strategy is another by now: the new pod serves already.
      const ended = container.identity.pod.uid;
      if (upPods(machine, uid, minReadyMs(set)).some((other) => other !== ended)) return;
      settle(uid);
      const those = down.get(uid) ?? new Map();
      down.set(uid, those);
      if (those.has(machine.name)) return;
      those.set(machine.name, {
        machine,
        grantedAt: setOut(uid, machine.name, container.identity.pod.revision)?.at ?? time.now(),
      });
      const limit = limits.since(
        uid,
        Math.min(...[...those.values()].map(({ grantedAt }) => grantedAt)),
      ).down;
      trace.note(
        'laws',
        `${machine.name} is taken down for ${set.metadata.name}: ${[...those.keys()]} of ${limit}`,
      );
      if (those.size > limit)
        trace.break(
          'the budget',
          `${set.metadata.name}: ${[...those.keys()].join(', ')} are taken down, ${limit} may be`,
        );
    },
    onPlane: (store) => {
      store.watch('fleetset/grants', store.version(), ({ id, value }) => {
        if (!value) return void grants.delete(id);
        const list = grants.get(id) ?? [];
        // A surge that is over: nothing else is granted.
        if (list.at(-1)?.revision === value.revision) return;
        const [uid = '', node = ''] = id.split('/');
        const revision = String(value.revision);
        const before = list.length === 0 ? inherited(store, uid, node, revision) : undefined;
        const away = [...parts.machines()].filter((one) => !isLive(one) && hasTakenIn(one, uid));
        const aside = new Set(away.map(({ name }) => name));
        const grant = before ?? { revision, at: time.now(), wasUp: wasUp(uid, node), aside };
        list.push(grant);
        if (!before && grant.wasUp) mayGoDown(uid, node, revision, value.surge === true);
        grants.set(id, list);
        trace.note('plane', `grants ${node} ${setOf(uid)?.metadata.name} ${revision}`);
      });
    },
  };
}
