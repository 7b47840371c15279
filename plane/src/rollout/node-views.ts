// What planning sees of every node for each DaemonSet, kept from pass to pass: only nodes about which something was
// written, said or told since are looked at again.
import { isDeepStrictEqual } from 'node:util';
import type { PlacementRules } from '@fleetset/scheduler-core/placement';
import type { RolloutNode } from '@fleetset/scheduler-core/rollout/plan-rollout';
import type { DaemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import type { PodSpec } from '@fleetset/scheduler-core/schema/pod';
import { ORPHANS, type OrphanedSet } from '../fleet/orphans.ts';
import { TOMBSTONES } from '../fleet/tombstones.ts';
import type { Change } from '../store/store.ts';
import { GRANTS } from './grants.ts';
import { type NodeView, type ViewSources, viewNode } from './node-view.ts';
import { rulesOf } from './placement-rules.ts';

/** Good until the next look at the same DaemonSet. */
export interface SetViews {
  /** By name. */
  readonly all: readonly NodeView[];
  /** Those that should run a pod, by name. */
  readonly running: readonly RolloutNode[];
}

export interface NodeViews {
  /** As every node is now. */
  readonly of: (daemonSet: DaemonSet) => SetViews;
  /** The DaemonSets for which some node is another than at the last `of`, as far as this node shows it. */
  readonly changedBy: (nodeName: string) => Iterable<string>;
  readonly forget: (daemonSetUid: string) => void;
  readonly close: () => void;
}

interface Kept {
  readonly uid: string;
  /** What of the template decides where it runs; another object: every view is made anew. */
  readonly spec: PodSpec;
  readonly rules: PlacementRules;
  readonly all: NodeView[];
  readonly running: RolloutNode[];
  readonly stale: Set<string>;
  changed: boolean;
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

  const begin = (uid: string, spec: PodSpec, rules: PlacementRules): Kept => {
    const all = [...store.list('core/nodes')]
      .flatMap(({ id }) => viewNode(sources, uid, rules, id) ?? [])
      .sort((a, b) => (a.rollout.name < b.rollout.name ? -1 : 1));
    const running = all.map(({ rollout }) => rollout).filter(({ decision }) => decision === 'Run');
    const kept = { uid, spec, rules, all, running, stale: new Set<string>(), changed: true };
    sets.set(uid, kept);
    return kept;
  };

  const lookAt = (kept: Kept, name: string) => {
    if (!kept.stale.delete(name)) return;
    if (replace(kept, name, viewNode(sources, kept.uid, kept.rules, name))) kept.changed = true;
  };

  return {
    of: (daemonSet) => {
      const uid = daemonSet.metadata?.uid ?? '';
      const spec = daemonSet.spec?.template?.spec ?? NO_SPEC;
      const known = sets.get(uid);
      const kept = known?.spec === spec ? known : begin(uid, spec, rulesOf(daemonSet));
      for (const name of kept.stale) lookAt(kept, name);
      kept.changed = false;
      return kept;
    },
    changedBy: (name) => {
      const changed: string[] = [];
      for (const kept of sets.values()) {
        lookAt(kept, name);
        if (kept.changed) changed.push(kept.uid);
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

/** False when it is the same as before. */
function replace({ all, running }: Kept, name: string, view: NodeView | undefined): boolean {
  const at = placeOf(all, name, ({ rollout }) => rollout.name);
  const before = all[at]?.rollout.name === name ? all[at] : undefined;
  if (isDeepStrictEqual(before, view)) return false;
  all.splice(at, before ? 1 : 0, ...(view ? [view] : []));
  const runs = view?.rollout.decision === 'Run' ? [view.rollout] : [];
  const ran = before?.rollout.decision === 'Run' ? 1 : 0;
  running.splice(
    placeOf(running, name, (node) => node.name),
    ran,
    ...runs,
  );
  return true;
}

/** Where the name is, or would be. */
function placeOf<T>(sorted: readonly T[], name: string, nameOf: (one: T) => string): number {
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (nameOf(sorted[middle] as T) < name) from = middle + 1;
    else to = middle;
  }
  return from;
}
