// Looks at the engine, and what was under way meanwhile. A birth touches nothing there: the look it came of may serve
// once more.
import { actionKey, type NodeAction } from '@fleetset/scheduler-core/node/node-action';
import type { RuntimeContainer } from '../runtime/container-runtime.ts';
import type { EngineWatch } from './engine-watch.ts';

export interface Look {
  readonly containers: readonly RuntimeContainer[];
  /** Since then the engine was away, until it answered this. */
  readonly goneAt: number | undefined;
}

export interface Looks {
  /** Something may have changed on the engine. */
  readonly news: () => void;
  readonly begun: (action: NodeAction) => void;
  /** What was under way when the last look began, and all that began since: what ended meanwhile may be missing in it. */
  readonly underWay: () => ReadonlyMap<string, NodeAction['kind']>;
  /** The last one, if it was kept and there were no news since it began. */
  readonly next: () => Promise<Look>;
  readonly keep: () => void;
}

export function createLooks(
  engine: Pick<EngineWatch, 'look'>,
  busy: () => ReadonlyMap<string, NodeAction['kind']>,
): Looks {
  let count = 0;
  let underWay = new Map<string, NodeAction['kind']>();
  let last: { readonly look: Look; readonly asOf: number } | undefined;
  let kept: typeof last;
  return {
    news: () => {
      count += 1;
    },
    begun: (action) => void underWay.set(actionKey(action), action.kind),
    underWay: () => underWay,
    next: async () => {
      const before = kept;
      kept = undefined;
      if (before?.asOf === count) return before.look;
      const asOf = count;
      underWay = new Map(busy());
      last = undefined;
      const look = await engine.look();
      last = { look, asOf };
      return look;
    },
    keep: () => {
      kept = last;
    },
  };
}
