// Which RolloutPolicy of its namespace paces a DaemonSet: one that names it before one that selects it, then the
// oldest, then by name, so that adding a policy never takes a DaemonSet from another without a word.
import { matchesSelector } from '../label-selector.ts';
import type { DaemonSet } from '../schema/daemon-set.ts';
import type { RolloutPolicy } from '../schema/rollout-policy.ts';

export function choosePolicy(
  daemonSet: DaemonSet,
  policies: readonly RolloutPolicy[],
): RolloutPolicy | undefined {
  const { name = '', namespace, labels = {} } = daemonSet.metadata ?? {};
  const names = ({ spec }: RolloutPolicy) => spec.daemonSets?.includes(name) ?? false;
  const selects = ({ spec }: RolloutPolicy) =>
    spec.selector !== undefined && matchesSelector(spec.selector, labels);
  return policies
    .filter((policy) => policy.metadata?.namespace === namespace && (names(policy) || selects(policy)))
    .sort((a, b) => Number(names(b)) - Number(names(a)) || before(a, b))[0];
}

function before(a: RolloutPolicy, b: RolloutPolicy): number {
  const key = ({ metadata }: RolloutPolicy) => `${metadata?.creationTimestamp} ${metadata?.name}`;
  return key(a) < key(b) ? -1 : 1;
}
