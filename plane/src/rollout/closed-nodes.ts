// Which nodes may not be changed now since their maintenance windows are closed, and when that changes. Kept from look to
// look: until the first window opens or closes only nodes that changed are looked at again.
import { type Amendable, amended } from '@fleetset/scheduler-core/amended-map';
import type { Window } from '@fleetset/scheduler-core/rollout/pacing';
import { closureAt } from '../maintenance/node-maintenance.ts';
import type { NodeView } from './node-view.ts';

export interface ClosedNodes {
  /** With why. Another map whenever some node's is another. */
  readonly closed: Amendable<string>;
  /** When the first of all windows that were looked at opens or closes; milliseconds since 1970. No node that left
   *  meanwhile makes it later. */
  readonly changesAt?: number;
}

export interface ClosedBook {
  /** The view of this node is another now. */
  readonly touch: (name: string) => void;
  /** `instant`: of the wall clock. Only nodes that run a pod have something to close. Good until the next look. */
  readonly look: (windows: readonly Window[], instant: number) => ClosedNodes;
}

interface Look {
  /** Of the policy, as text. */
  readonly windows: string;
  readonly at: number;
  closed: Amendable<string>;
  changesAt: number;
}

/** `all`: of every node; `windowed`: of those that have windows of their own. */
export function openClosedBook(
  all: ReadonlyMap<string, NodeView>,
  windowed: ReadonlyMap<string, NodeView>,
): ClosedBook {
  let last: Look | undefined;
  const touched = new Set<string>();
  const known = (windows: string, instant: number): Look | undefined =>
    last?.windows === windows && last.at <= instant && instant < last.changesAt ? last : undefined;
  return {
    touch: (name) => {
      if (last) touched.add(name);
    },
    look: (windows, instant) => {
      const text = JSON.stringify(windows);
      const before = known(text, instant);
      const look = before ?? {
        windows: text,
        at: instant,
        closed: NOBODY,
        changesAt: Number.POSITIVE_INFINITY,
      };
      const names = before ? touched : (windows.length > 0 ? all : windowed).keys();
      lookAt(look, names, all, closureAt(windows, instant));
      touched.clear();
      last = look;
      const { closed, changesAt } = look;
      return { closed, ...(Number.isFinite(changesAt) ? { changesAt } : {}) };
    },
  };
}

function lookAt(
  look: Look,
  names: Iterable<string>,
  all: ReadonlyMap<string, NodeView>,
  closureOf: ReturnType<typeof closureAt>,
): void {
  const changes = new Map<string, string | undefined>();
  for (const name of names) {
    const view = all.get(name);
    const runs = view?.rollout.decision === 'Run' && view.rollout.pod !== undefined;
    const { reason, changesAt } = runs ? closureOf(view.rollout.labels ?? {}, view.maintenance) : NOTHING;
    if (reason !== look.closed.get(name)) changes.set(name, reason);
    if (changesAt !== undefined) look.changesAt = Math.min(look.changesAt, changesAt);
  }
  if (changes.size > 0) look.closed = amended(look.closed, changes);
}

const NOBODY: Amendable<string> = new Map<string, string>();
const NOTHING: ReturnType<ReturnType<typeof closureAt>> = {};

/** A wall clock may be set meanwhile: it is looked at again after so long at most. */
const LOOK_AGAIN_MS = 60_000;

/** How long a look at the windows is good for. */
export const goodForMs = ({ changesAt }: ClosedNodes, instant: number): number | undefined =>
  changesAt === undefined ? undefined : Math.min(LOOK_AGAIN_MS, Math.max(0, changesAt - instant));
