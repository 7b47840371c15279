// Looks at the engine, and what was under way meanwhile. What is known of it without a list does for a look; a list
// confirms it soon after.
import { actionKey, type NodeAction } from '@fleetset/scheduler-core/node/node-action';
import type { RuntimeContainer } from '../runtime/container-runtime.ts';
import type { EngineWatch } from './engine-watch.ts';

export interface Look {
  readonly containers: readonly RuntimeContainer[];
  /** Since then the engine was away, until it answered this. */
  readonly goneAt: number | undefined;
  /** The engine was not asked for a list: it is to be, by then. */
  readonly confirmInMs?: number;
}

export interface Looks {
  /** The next may be without a list: it is not its time that is over. */
  readonly news: () => void;
  readonly begun: (action: NodeAction) => void;
  /** What was under way when the last look began, and all that began since: what ended meanwhile may be missing in it. */
  readonly underWay: () => ReadonlyMap<string, NodeAction['kind']>;
  readonly next: () => Promise<Look>;
}

const CONFIRM_MS = 1000;

export function createLooks(
  engine: Pick<EngineWatch, 'look' | 'known'>,
  busy: () => ReadonlyMap<string, NodeAction['kind']>,
  monotonicNow: () => number,
): Looks {
  let underWay = new Map<string, NodeAction['kind']>();
  let hasNews = false;
  /** Since then it was not asked for one. */
  let unconfirmedAt: number | undefined;
  return {
    news: () => {
      hasNews = true;
    },
    begun: (action) => void underWay.set(actionKey(action), action.kind),
    underWay: () => underWay,
    next: async () => {
      const now = monotonicNow();
      const confirmInMs = (unconfirmedAt ?? now) + CONFIRM_MS - now;
      const mayBeKnown = hasNews && confirmInMs > 0;
      hasNews = false;
      underWay = new Map(busy());
      const containers = mayBeKnown ? await engine.known() : undefined;
      if (containers) {
        unconfirmedAt ??= now;
        return { containers, goneAt: undefined, confirmInMs };
      }
      unconfirmedAt = undefined;
      underWay = new Map(busy());
      return engine.look();
    },
  };
}
