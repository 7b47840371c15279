// ClusterRoles with an aggregationRule: their rules are those of the ClusterRoles that it selects, kept up to date.
import { sameJson } from '@fleetset/scheduler-core/canonical-json';
import { matchesSelector } from '@fleetset/scheduler-core/label-selector';
import { startLevelLoop } from '@fleetset/scheduler-core/level-loop';
import type { ClusterRole, PolicyRule } from '@fleetset/scheduler-core/schema/rbac';
import type { KubeObject } from '../kinds/kind.ts';
import type { Store, Stored, Write } from '../store/store.ts';
import { schedule } from '../timer.ts';
import { CLUSTER_ROLES } from './rbac-index.ts';

type StoredRole = ClusterRole & Pick<KubeObject, 'metadata'>;

export interface AggregationLoop {
  readonly stop: () => Promise<void>;
}

export function startAggregation(
  store: Store,
  onFailure: (error: unknown, retryInMs: number) => void,
): AggregationLoop {
  const loop = startLevelLoop({
    pass: async () => {
      await aggregateRoles(store);
      return {};
    },
    schedule,
    onFailure,
  });
  const watch = store.watch(CLUSTER_ROLES, store.version(), () => loop.wake());
  return {
    stop: async () => {
      if (watch !== 'expired') watch.close();
      await loop.stop();
    },
  };
}

export async function aggregateRoles(store: Store): Promise<void> {
  for (;;) {
    const roles = [...store.list(CLUSTER_ROLES)].sort((a, b) => (a.id < b.id ? -1 : 1));
    const writes = roles.flatMap((stored) => aggregate(stored, roles));
    // A conflict is a change, after which the roles are read again.
    if (writes.length === 0 || (await store.commit(writes)).committed) return;
  }
}

function aggregate({ id, version, value }: Stored, roles: readonly Stored[]): Write[] {
  const role = value as unknown as StoredRole;
  if (!role.aggregationRule) return [];
  const rules = rulesOf(role, roles, new Set([id]));
  if (sameJson(rules, role.rules ?? [])) return [];
  return [{ collection: CLUSTER_ROLES, id, value: { ...value, rules }, expect: version, durable: true }];
}

/** One aggregated role may select another. `seen`: those whose rules are in the sum already, or will be. */
function rulesOf(role: StoredRole, roles: readonly Stored[], seen: Set<string>): PolicyRule[] {
  if (!role.aggregationRule) return [...(role.rules ?? [])];
  const selectors = role.aggregationRule.clusterRoleSelectors ?? [];
  const rules: PolicyRule[] = [];
  for (const { id, value } of roles) {
    const other = value as unknown as StoredRole;
    if (seen.has(id)) continue;
    if (!selectors.some((selector) => matchesSelector(selector, other.metadata.labels ?? {}))) continue;
    seen.add(id);
    const more = rulesOf(other, roles, seen);
    rules.push(...more.filter((rule) => !rules.some((known) => sameJson(known, rule))));
  }
  return rules;
}
