// What nodes and pods use, as the agents told it last. Agents measure only while somebody looks: a question here asks
// them all, and waits a moment for those that have not answered lately.
import type { Usage } from '@fleetset/proto/gen/fleetset/v1/node';
import type { Fleet, Session } from './fleet.ts';

export interface ToldUsage {
  readonly usage: Usage;
  /** RFC 3339, for people. */
  readonly timestamp: string;
}

export interface UsageBook {
  readonly take: (session: Session, usage: Usage) => void;
  /** Undefined when the node has not told lately. */
  readonly of: (nodeName: string) => ToldUsage | undefined;
  /** Resolves when every agent that answers has, or when it has taken too long. */
  readonly refresh: () => Promise<void>;
}

export interface UsageBookParts {
  readonly fleet: Fleet;
  readonly monotonicNow: () => number;
  readonly nowText: () => string;
}

/** For so long agents tell it, every 15 s and when they are asked again. */
const WANTED_MS = 60_000;
/** What is younger is not asked for again. */
const YOUNG_MS = 5000;
/** What is older is not shown. */
const OLD_MS = 40_000;
/** Agents take a second to see a rate. */
const WAIT_MS = 3000;

interface Told extends ToldUsage {
  readonly at: number;
}

export function createUsageBook({ fleet, monotonicNow, nowText }: UsageBookParts): UsageBook {
  const told = new Map<string, Told>();
  /** By session: another one may be another agent, which was not asked yet. */
  const askedAt = new WeakMap<Session, number>();
  /** They do not know the question: nobody waits for them again. */
  const silent = new WeakSet<Session>();
  const waiting = new Set<() => void>();

  const within = (limitMs: number, nodeName: string): Told | undefined => {
    const last = told.get(nodeName);
    return last && monotonicNow() - last.at < limitMs ? last : undefined;
  };

  /** The sessions that have yet to answer. */
  const ask = (): Session[] => {
    const open: Session[] = [];
    for (const { name, session } of fleet.all()) {
      if (!session || within(YOUNG_MS, name)) continue;
      const asked = askedAt.get(session);
      // Several who look at once ask once.
      if (asked === undefined || monotonicNow() - asked >= WAIT_MS) {
        session.send({ $case: 'usageWanted', value: { forMs: WANTED_MS } });
        askedAt.set(session, monotonicNow());
      }
      if (!silent.has(session)) open.push(session);
    }
    return open;
  };

  const forgetOld = () => {
    for (const name of told.keys()) if (!within(OLD_MS, name)) told.delete(name);
  };

  return {
    take: (session, usage) => {
      silent.delete(session);
      told.set(session.nodeName, { usage, timestamp: nowText(), at: monotonicNow() });
      for (const look of waiting) look();
    },
    of: (nodeName) => within(OLD_MS, nodeName),
    refresh: async () => {
      forgetOld();
      const asked = ask();
      const missing = () =>
        asked.filter((session) => !session.gone.aborted && within(YOUNG_MS, session.nodeName) === undefined);
      await holdsWithin(WAIT_MS, waiting, () => missing().length === 0);
      for (const session of missing()) silent.add(session);
    },
  };
}

/** Looks whenever it is told to. */
function holdsWithin(limitMs: number, waiting: Set<() => void>, holds: () => boolean): Promise<void> {
  if (holds()) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      waiting.delete(look);
      resolve();
    };
    const look = () => {
      if (holds()) end();
    };
    const timer = setTimeout(end, limitMs);
    waiting.add(look);
  });
}
