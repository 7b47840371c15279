// How many requests are served at once, in all and of one user. Who finds no seat waits for one, each user in turn; who
// would make too long a queue is sent away.
import { tooManyRequests } from './api-error.ts';

export interface SeatLimits {
  readonly total: number;
  readonly perUser: number;
  /** How many of a user may wait. */
  readonly queuedPerUser: number;
}

export interface Seats {
  /** Answers with what to call in the end. Rejects with 429, or when `signal` aborts while it waits. */
  readonly take: (user: string, signal: AbortSignal) => Promise<() => void>;
  readonly counts: () => { readonly taken: number; readonly waiting: number; readonly refused: number };
}

interface Flow {
  taken: number;
  /** When he was given his last seat: who waits longer than that comes first. */
  satAt: number;
  readonly queue: (() => void)[];
}

export function createSeats(limits: SeatLimits, what: string): Seats {
  /** Of those who have or want a seat. */
  const flows = new Map<string, Flow>();
  let sittings = 0;
  let taken = 0;
  let waiting = 0;
  let refused = 0;

  const flowOf = (user: string): Flow => {
    const flow = flows.get(user) ?? { taken: 0, satAt: 0, queue: [] };
    flows.set(user, flow);
    return flow;
  };
  const hasSeat = ({ taken: own }: Flow) => taken < limits.total && own < limits.perUser;

  const sit = (user: string, flow: Flow): (() => void) => {
    taken += 1;
    flow.taken += 1;
    flow.satAt = ++sittings;
    let isLeft = false;
    return () => {
      if (isLeft) return;
      isLeft = true;
      taken -= 1;
      flow.taken -= 1;
      seatNext();
      if (flow.taken === 0 && flow.queue.length === 0) flows.delete(user);
    };
  };

  const seatNext = () => {
    let next: Flow | undefined;
    for (const flow of flows.values())
      if (flow.queue.length > 0 && hasSeat(flow) && flow.satAt < (next?.satAt ?? Number.POSITIVE_INFINITY))
        next = flow;
    next?.queue.shift()?.();
  };

  return {
    take: (user, signal) => {
      const flow = flowOf(user);
      if (hasSeat(flow) && flow.queue.length === 0) return Promise.resolve(sit(user, flow));
      if (flow.queue.length >= limits.queuedPerUser) {
        refused += 1;
        if (flow.taken === 0 && flow.queue.length === 0) flows.delete(user);
        return Promise.reject(tooManyRequests(`too many ${what} of ${user}, please try again later`));
      }
      return new Promise((resolve, reject) => {
        const leave = () => {
          waiting -= 1;
          flow.queue.splice(flow.queue.indexOf(go), 1);
          if (flow.taken === 0 && flow.queue.length === 0) flows.delete(user);
          reject(signal.reason);
        };
        const go = () => {
          waiting -= 1;
          signal.removeEventListener('abort', leave);
          resolve(sit(user, flow));
        };
        waiting += 1;
        flow.queue.push(go);
        signal.addEventListener('abort', leave, { once: true });
      });
    },
    counts: () => ({ taken, waiting, refused }),
  };
}
