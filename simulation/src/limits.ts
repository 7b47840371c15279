// What operators allowed, and since when: how many nodes may be taken down for an update, and how many may run both pods.
import type { Store } from '@fleetset/plane/store/store';
import { scaledCount } from '@fleetset/scheduler-core/int-or-percent';
import { choosePolicy } from '@fleetset/scheduler-core/rollout/choose-policy';
import {
  allowsSurge,
  budgetOf,
  updateStrategyOf,
  withBudget,
} from '@fleetset/scheduler-core/rollout/update-strategy';
import type { RolloutPolicy } from '@fleetset/scheduler-core/schema/rollout-policy';
import { setsIn } from './truth.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface Limit {
  /** Nodes that may be taken down: none under a surge. */
  readonly down: number;
  /** Nodes that may run an old and a new pod. */
  readonly surge: number;
}

export interface Limits {
  readonly follow: (store: Store) => void;
  /** The greatest that held at some time since; much happens in one instant. */
  readonly since: (setUid: string, at: number) => Limit;
}

export function createLimits(time: Pick<VirtualTime, 'now'>): Limits {
  const history = new Map<string, (Limit & { readonly from: number })[]>();

  const note = (store: Store) => {
    const nodes = [...store.list('core/nodes')].length;
    const policies = [...store.list('fleetset.dev/rolloutpolicies')].map(
      ({ value }) => value as unknown as RolloutPolicy,
    );
    for (const set of setsIn(store)) {
      const strategy = updateStrategyOf(set);
      const steps = choosePolicy(set, policies)?.spec.steps ?? [];
      const budgets = steps.map(({ maxUnavailable }) =>
        maxUnavailable === undefined ? undefined : scaledCount(maxUnavailable, nodes),
      );
      const all = [undefined, ...budgets].map((one) => budgetOf(withBudget(strategy, one), nodes));
      const most = Math.max(1, ...all);
      const now = allowsSurge(strategy) ? { down: 0, surge: most } : { down: most, surge: 0 };
      const list = history.get(set.metadata.uid) ?? [];
      const last = list.at(-1);
      if (last?.down !== now.down || last.surge !== now.surge) list.push({ from: time.now(), ...now });
      history.set(set.metadata.uid, list);
    }
  };

  return {
    follow: (store) => {
      note(store);
      for (const one of ['apps/daemonsets', 'fleetset.dev/rolloutpolicies', 'core/nodes'])
        store.watch(one, store.version(), () => note(store));
    },
    since: (uid, at) => {
      const list = history.get(uid) ?? [];
      const held = list.slice(
        Math.max(
          0,
          list.findLastIndex(({ from }) => from < at),
        ),
      );
      return {
        down: Math.max(0, ...held.map(({ down }) => down)),
        surge: Math.max(0, ...held.map(({ surge }) => surge)),
      };
    },
  };
}
