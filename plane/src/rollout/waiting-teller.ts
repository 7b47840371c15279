// When people are told by an event what a rollout waits for: when it stood still for a while, and not the same over and
// over again.
import type { WaitingFor } from '@fleetset/scheduler-core/rollout/waiting-for';

export interface WaitingTeller {
  /** `waiting`: as it is now. Answers when to look again by itself, if ever, by the monotonic clock. */
  readonly look: (
    daemonSetUid: string,
    waiting: WaitingFor | undefined,
    tell: (message: string) => void,
  ) => number | undefined;
  readonly forget: (daemonSetUid: string) => void;
}

/** So long nothing has changed. */
export const STILL_MS = 30_000;
/** As seldom as Kubernetes writes events of one object that has had many. */
export const AGAIN_MS = 300_000;

interface Stand {
  readonly waiting: WaitingFor;
  readonly since: number;
  readonly told?: { readonly what: string; readonly at: number };
}

export function createWaitingTeller(monotonicNow: () => number): WaitingTeller {
  const stands = new Map<string, Stand>();
  return {
    look: (uid, waiting, tell) => {
      if (!waiting) {
        stands.delete(uid);
        return undefined;
      }
      const now = monotonicNow();
      const last = stands.get(uid);
      const since = last && isSame(last.waiting, waiting) ? last.since : now;
      const isTold = last?.told?.what === waiting.what;
      const tellAt = Math.max(since + STILL_MS, isTold ? last.told.at + AGAIN_MS : 0);
      const tells = now >= tellAt;
      if (tells) tell(waiting.message);
      const told = tells ? { what: waiting.what, at: now } : last?.told;
      stands.set(uid, { waiting, since, ...(told ? { told } : {}) });
      return tells ? now + AGAIN_MS : tellAt;
    },
    forget: (uid) => void stands.delete(uid),
  };
}

const isSame = (a: WaitingFor, b: WaitingFor): boolean => a.what === b.what && a.progressAt === b.progressAt;
