// What planning sees of every node for each DaemonSet, kept from pass to pass: only nodes about which something was
// written, said or told since are looked at again.
import { isDeepStrictEqual } from 'node:util';
import type { PlacementRules } from '@fleetset/scheduler-core/placement';
import { countNode, noCounts, type StatusCounts } from '@fleetset/scheduler-core/rollout/daemon-set-status';
import { isIdle } from '@fleetset/scheduler-core/rollout/idle-nodes';
import {
  type KeptNodes,
  keepNode,
  noNodes,
  type RolloutNodes,
  splitNodes,
} from '@fleetset/scheduler-core/rollout/resting-nodes';
import type { RolloutNode } from '@fleetset/scheduler-core/rollout/rollout-node';
import type { ChangedNodes } from '@fleetset/scheduler-core/rollout/rollout-times';
import type { DaemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import type { Node } from '@fleetset/scheduler-core/schema/node';
import type { PodSpec } from '@fleetset/scheduler-core/schema/pod';
import { ORPHANS, type OrphanedSet } from '../fleet/orphans.ts';
import { TOMBSTONES } from '../fleet/tombstones.ts';
import type { Change, StoredValue } from '../store/store.ts';
import { type ClosedBook, openClosedBook } from './closed-nodes.ts';
import { GRANTS } from './grants.ts';
import { type NodeView, type ViewSources, viewNode } from './node-view.ts';
import { rulesOf } from './placement-rules.ts';

/** Good until the next look at the same DaemonSet. */
export interface SetViews extends Required<RolloutNodes> {
  readonly all: ReadonlyMap<string, NodeView>;
  readonly windows: Pick<ClosedBook, 'look'>;
  /** Those that run nothing now, and were granted something when they did. */
  readonly idle: ReadonlyMap<string, RolloutNode>;
  readonly counts: Readonly<StatusCounts>;
  /** Since the last `taken`; undefined when there was none. */
  readonly changed: ChangedNodes | undefined;
}

export interface NodeViews {
  /** As every node is now. */
  readonly of: (daemonSet: DaemonSet) => SetViews;
  /** What the last `of` showed has been planned with. */
  readonly taken: (daemonSetUid: string) => void;
  /** The DaemonSets for which some node is another than at the last `taken`, as far as this node shows it. */
  readonly changedBy: (nodeName: string) => Iterable<string>;
  readonly forget: (daemonSetUid: string) => void;
  readonly close: () => void;
}

/** What is made of the views goes with each of them that is replaced, so that no pass counts all over again. */
interface Kept {
  readonly uid: string;
  /** What of the template decides where it runs; another object: every view is made anew. */
  readonly spec: PodSpec;
  readonly rules: PlacementRules;
  readonly nodes: KeptNodes;
  readonly all: Map<string, NodeView>;
  /** Those of them that have maintenance windows of their own. */
  readonly windowed: Map<string, NodeView>;
  readonly windows: ClosedBook;
  readonly idle: Map<string, RolloutNode>;
  readonly counts: StatusCounts;
  readonly stale: Set<string>;
  changed: Map<string, RolloutNode | undefined> | undefined;
}

const NO_SPEC: PodSpec = { containers: [] };

export function createNodeViews(sources: ViewSources): NodeViews {
  const { store, fleet } = sources;
  const sets = new Map<string, Kept>();
  const staleEverywhere = (name: string) => {
    for (const { stale } of sets.values()) stale.add(name);
  };
  const follow = (collection: string, onChange: (change: Change) => void) =>
    store.watch(collection, store.version(), onChange);
  const watches = [
    follow('core/nodes', ({ id }) => staleEverywhere(id)),
    follow(TOMBSTONES, ({ id }) => staleEverywhere(id.slice(0, id.lastIndexOf('/')))),
    follow(GRANTS, ({ value, previous }) => {
      const { daemonSetUid, node } = (value ?? previous) as { daemonSetUid: string; node: string };
      sets.get(daemonSetUid)?.stale.add(node);
    }),
    // What a DaemonSet takes over, or loses again, may be anywhere.
    follow(ORPHANS, ({ value, previous }) => {
      for (const set of [value, previous]) sets.delete((set as OrphanedSet | undefined)?.adopter?.uid ?? '');
    }),
  ];
  const unfollow = fleet.follow(staleEverywhere);

  const look = (kept: Kept, name: string, node: StoredValue | undefined) =>
    replaceView(
      kept,
      name,
      viewNode(sources, kept.uid, kept.rules, name, node as unknown as Node | undefined),
    );

  const begin = (uid: string, spec: PodSpec, rules: PlacementRules): Kept => {
    const all = new Map<string, NodeView>();
    const windowed = new Map<string, NodeView>();
    const kept: Kept = {
      nodes: noNodes(),
      uid,
      spec,
      rules,
      all,
      windowed,
      windows: openClosedBook(all, windowed),
      idle: new Map(),
      counts: noCounts(),
      stale: new Set(),
      changed: undefined,
    };
    const nodes = [...store.list('core/nodes')].sort((a, b) => (a.id < b.id ? -1 : 1));
    for (const { id, value } of nodes) look(kept, id, value);
    sets.set(uid, kept);
    return kept;
  };

  const lookAgain = (kept: Kept, name: string) => {
    if (kept.stale.delete(name)) look(kept, name, store.get('core/nodes', name)?.value);
  };

  return {
    of: (daemonSet) => {
      const uid = daemonSet.metadata?.uid ?? '';
      const spec = daemonSet.spec?.template?.spec ?? NO_SPEC;
      const known = sets.get(uid);
      const kept = known?.spec === spec ? known : begin(uid, spec, rulesOf(daemonSet));
      for (const name of kept.stale) lookAgain(kept, name);
      return { ...kept, ...splitNodes(kept.nodes) };
    },
    taken: (uid) => {
      const kept = sets.get(uid);
      if (kept) kept.changed = new Map();
    },
    changedBy: (name) => {
      const changed: string[] = [];
      for (const kept of sets.values()) {
        lookAgain(kept, name);
        if (kept.changed?.size !== 0) changed.push(kept.uid);
      }
      return changed;
    },
    forget: (uid) => void sets.delete(uid),
    close: () => {
      for (const watch of watches) if (watch !== 'expired') watch.close();
      unfollow();
    },
  };
}

/** Does nothing when it is the same as before. */
function replaceView(kept: Kept, name: string, view: NodeView | undefined): void {
  const before = kept.all.get(name);
  if (isDeepStrictEqual(before, view)) return;
  if (before) countNode(kept.counts, before.status, -1);
  if (view) countNode(kept.counts, view.status, 1);
  keepNode(kept.nodes, name, view?.rollout);
  put(kept.all, name, view);
  put(kept.windowed, name, view?.maintenance?.windows && view);
  kept.windows.touch(name);
  put(kept.idle, name, view && isIdle(view.rollout) ? view.rollout : undefined);
  kept.changed?.set(name, view?.rollout.decision === 'Run' ? view.rollout : undefined);
}

function put<T>(views: Map<string, T>, name: string, view: T | undefined): void {
  if (view) views.set(name, view);
  else views.delete(name);
}
