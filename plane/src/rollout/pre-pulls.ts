// Tells agents to pull the images of coming revisions before their turn, so many at once, and keeps what they answer.
// In memory alone: a plane that starts anew asks again, and who has the images answers at once.
import { type PrePull, type PrePullState, PrePullState_Phase } from '@fleetset/proto/gen/fleetset/v1/node';
import { earliest } from '@fleetset/scheduler-core/earliest';
import {
  type PrePullFailure,
  type PrePullNode,
  type PrePullWish,
  planPrePulls,
  prePullFailure,
} from '@fleetset/scheduler-core/rollout/pre-pull';
import { type Fleet, isConnected, type Session } from '../fleet/fleet.ts';
import { schedule } from '../timer.ts';

export interface PrePullParts {
  readonly fleet: Fleet;
  /** Whether a pod of the DaemonSet is on the node. */
  readonly runs: (node: string, daemonSetUid: string) => boolean;
  /** What the node lacks, as far as the plane can know; undefined: nothing. */
  readonly neededBy: (
    node: string,
    daemonSetUid: string,
    revision: string,
  ) => Omit<PrePull, 'id'> | undefined;
  /** The logins that a revision is pulled with now: equal texts, equal logins. */
  readonly loginOf: (daemonSetUid: string, revision: string) => string;
  /** The first node failed; the others are not told one by one. */
  readonly onFailing: (daemonSetUid: string, message: string) => void;
  readonly monotonicNow: () => number;
}

export interface PrePullStatus {
  /** How many nodes were told to, and have them. */
  readonly pulled: number;
  /** Nodes that pull now. */
  readonly pulling: readonly string[];
  readonly failures: { readonly [node: string]: string };
}

export interface PrePulls {
  /** Nodes that need not be wished for: they have the images. */
  readonly doneOf: (daemonSetUid: string, revision: string) => ReadonlySet<string>;
  /** What a DaemonSet would have pulled in advance now; `goOn` acts on it. */
  readonly wish: (daemonSetUid: string, wish: PrePullWish | undefined) => void;
  readonly goOn: () => void;
  readonly heard: (session: Session, state: PrePullState) => void;
  readonly statusOf: (daemonSetUid: string) => PrePullStatus | undefined;
  readonly stop: () => void;
}

/** Who does not say within so long that it has begun never will: an agent of before there was this. */
const ANSWER_MS = 30_000;

interface Busy {
  readonly set: string;
  readonly revision: string;
  readonly id: number;
  readonly session: Session;
  /** What it pulls with. */
  readonly login: string;
  /** Until it has said that it has begun. */
  readonly answersUntil: number | undefined;
}

/** Only nodes that are not done, so that each answer does not go over all that have answered before. */
interface OpenWish extends PrePullWish {
  readonly end: (node: string) => void;
}

function openWish(wish: PrePullWish, done: ReadonlySet<string>): OpenWish {
  // Of thousands that wait, and while as many pull as may nobody asks.
  let open: Map<string, PrePullNode> | undefined;
  const nodes = () => {
    open ??= new Map([...wish.nodes].filter(({ node }) => !done.has(node)).map((one) => [one.node, one]));
    return open.values();
  };
  return { ...wish, end: (node) => open?.delete(node), nodes: { [Symbol.iterator]: nodes } };
}

const NONE: ReadonlySet<string> = new Set();

interface Results {
  readonly revision: string;
  readonly done: Set<string>;
  /** Of those that are done: who was told to. */
  readonly pulled: Set<string>;
  readonly failures: Map<string, PrePullFailure>;
}

export function createPrePulls(parts: PrePullParts): PrePulls {
  const { fleet, runs, neededBy, loginOf, onFailing, monotonicNow } = parts;
  const wishes = new Map<string, OpenWish>();
  const results = new Map<string, Results>();
  const busy = new Map<string, Busy>();
  const mute = new WeakSet<Session>();
  let lastId = 0;
  let timer: { readonly at: number; readonly cancel: () => void } | undefined;

  const mayPull = (node: string, set: string) => {
    const state = fleet.get(node);
    const listens = state?.session !== undefined && isConnected(state) && !mute.has(state.session);
    return listens && runs(node, set);
  };

  const tell = (node: string, session: Session, what: Omit<PrePull, 'id'>, set: string, revision: string) => {
    lastId += 1;
    const login = loginOf(set, revision);
    busy.set(node, { set, revision, id: lastId, session, login, answersUntil: monotonicNow() + ANSWER_MS });
    session.send({ $case: 'prePull', value: { id: lastId, ...what } });
  };

  const goOn = () => {
    forgetSilent();
    for (;;) {
      const plan = planPrePulls({ wishes, results, busy, mayPull, loginOf, now: monotonicNow() });
      for (const node of plan.ends) {
        const one = busy.get(node);
        if (one && one.revision !== '') tell(node, one.session, NOTHING, one.set, '');
      }
      let lacking = 0;
      for (const { node, set, revision } of plan.starts) {
        const session = fleet.get(node)?.session;
        const needed = neededBy(node, set, revision);
        if (session && needed) tell(node, session, needed, set, revision);
        else {
          end(set, revision, node);
          lacking += 1;
        }
      }
      // Who lacks nothing takes up no place.
      if (lacking === 0) return wakeAt(earliest(plan.nextAt, ...[...busy.values()].map(untilAnswer)));
    }
  };

  const wakeAt = (at: number | undefined) => {
    if (timer?.at === at) return;
    timer?.cancel();
    timer =
      at === undefined
        ? undefined
        : { at, cancel: schedule(Math.max(1, at - monotonicNow()), () => void wake()) };
  };
  const wake = () => {
    timer = undefined;
    goOn();
  };

  const forgetSilent = () => {
    for (const [node, { session, answersUntil }] of busy) {
      if (answersUntil === undefined || answersUntil > monotonicNow()) continue;
      mute.add(session);
      busy.delete(node);
    }
  };

  const resultsOf = (set: string, revision: string): Results => {
    const before = results.get(set);
    if (before?.revision === revision) return before;
    const fresh = { revision, done: new Set<string>(), pulled: new Set<string>(), failures: new Map() };
    results.set(set, fresh);
    return fresh;
  };

  const end = (set: string, revision: string, node: string) => {
    resultsOf(set, revision).done.add(node);
    wishes.get(set)?.end(node);
  };

  const doneOf = (set: string, revision: string): ReadonlySet<string> => {
    const result = results.get(set);
    return result?.revision === revision ? result.done : NONE;
  };

  const note = (node: string, { set, revision, login }: Busy, problem: string | undefined) => {
    const { pulled, failures } = resultsOf(set, revision);
    if (problem === undefined) {
      end(set, revision, node);
      pulled.add(node);
      failures.delete(node);
      return;
    }
    if (failures.size === 0) onFailing(set, `${node}: ${problem}`);
    failures.set(node, prePullFailure(failures.get(node), { message: problem, login }, monotonicNow()));
  };

  const unfollow = fleet.follow((node) => {
    const one = busy.get(node);
    if (one === undefined || fleet.get(node)?.session === one.session) return;
    // With its stream its pull has ended.
    busy.delete(node);
    goOn();
  });

  return {
    doneOf,
    wish: (set, wish) => {
      if (wish) wishes.set(set, openWish(wish, doneOf(set, wish.revision)));
      else wishes.delete(set);
      if (results.get(set)?.revision !== wish?.revision) results.delete(set);
    },
    goOn,
    heard: (session, { id, phase, message }) => {
      const one = busy.get(session.nodeName);
      if (one?.id !== id || one.session !== session) return;
      if (phase === PrePullState_Phase.PHASE_PULLING)
        return void busy.set(session.nodeName, { ...one, answersUntil: undefined });
      busy.delete(session.nodeName);
      if (one.revision === wishes.get(one.set)?.revision)
        note(session.nodeName, one, phase === PrePullState_Phase.PHASE_PULLED ? undefined : message);
      goOn();
    },
    statusOf: (set) => {
      const wish = wishes.get(set);
      const result = results.get(set);
      const pulling = [...busy].filter(([, one]) => one.set === set && one.revision === wish?.revision);
      if (!wish || (pulling.length === 0 && !result?.pulled.size && !result?.failures.size)) return undefined;
      return {
        pulled: result?.pulled.size ?? 0,
        pulling: pulling.map(([node]) => node).sort(),
        failures: Object.fromEntries([...(result?.failures ?? [])].map(([node, one]) => [node, one.message])),
      };
    },
    stop: () => {
      unfollow();
      timer?.cancel();
    },
  };
}

const NOTHING: Omit<PrePull, 'id'> = { images: [], pullSecrets: [] };

const untilAnswer = ({ answersUntil }: Busy): number | undefined => answersUntil;
