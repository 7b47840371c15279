// Which DaemonSets a node's report says something new about: a pass looks at every node of the fleet, so that one for
// each DaemonSet of each report would cost the square of it.
import { isConnected, type NodeState } from '../fleet/fleet.ts';

export interface TouchedSets {
  /** Those about which the node says something else than when it was asked for last. */
  readonly by: (state: NodeState | { readonly name: string }) => Iterable<string>;
}

export function createTouchedSets(): TouchedSets {
  const known = new Map<string, ReadonlyMap<string, string>>();
  return {
    by: (state) => {
      const before = known.get(state.name);
      const now = 'podsBySet' in state ? saidOf(state) : new Map<string, string>();
      if (now.size > 0) known.set(state.name, now);
      else known.delete(state.name);
      return new Set([
        ...[...now].filter(([uid, said]) => before?.get(uid) !== said).map(([uid]) => uid),
        ...[...(before?.keys() ?? [])].filter((uid) => !now.has(uid)),
      ]);
    },
  };
}

/** All that a pass reads of the node for each DaemonSet, but for what it was told. */
function saidOf(state: NodeState): ReadonlyMap<string, string> {
  const heard = `${isConnected(state)} ${state.lost}`;
  const said = new Map<string, string>();
  for (const { daemonSetUid, decision } of state.report?.placements ?? [])
    said.set(daemonSetUid, `${heard} ${decision}`);
  for (const [uid, pods] of state.podsBySet) {
    const shown = pods.map((pod) =>
      [pod.uid, pod.revision, pod.ready, pod.available, pod.terminating, pod.unknown].join(' '),
    );
    said.set(uid, [said.get(uid) ?? heard, ...shown].join('\n'));
  }
  return said;
}
