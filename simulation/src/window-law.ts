// What serves is granted nothing else while the maintenance windows of its node are closed.
import type { Store } from '@fleetset/plane/store/store';
import { durationMs } from '@fleetset/scheduler-core/duration';
import { choosePolicy } from '@fleetset/scheduler-core/rollout/choose-policy';
import type { Node } from '@fleetset/scheduler-core/schema/node';
import type { MaintenanceWindow, RolloutPolicy } from '@fleetset/scheduler-core/schema/rollout-policy';
import type { LawParts } from './law-parts.ts';
import type { StoredSet } from './truth.ts';

export interface WindowLaw {
  readonly onPlane: (store: Store) => void;
  /** A node that is up is granted another revision. */
  readonly onSetOut: (set: StoredSet, node: string, revision: string) => void;
}

/** Between a plan and its grants. */
const SLACK_MS = 2000;
const MINUTE_MS = 60_000;
const POLICIES = 'fleetset.dev/rolloutpolicies';

export function createWindowLaw({
  time,
  trace,
  machines,
  store: storeNow,
  planeWallNow,
}: LawParts): WindowLaw {
  let changedAt = 0;

  /** Undefined: the node may be changed at any time. */
  const windowsOf = (
    store: Store,
    set: StoredSet,
    node: string,
  ): readonly MaintenanceWindow[] | undefined => {
    const own = [...machines()].find(({ name }) => name === node)?.windows;
    if (own) return own.length > 0 ? own : undefined;
    const policies = [...store.list(POLICIES)].map(({ value }) => value as unknown as RolloutPolicy);
    const labels = (store.get('core/nodes', node)?.value as Node | undefined)?.metadata?.labels ?? {};
    const those = (choosePolicy(set, policies)?.spec.maintenanceWindows ?? []).filter(
      ({ nodeSelector = {} }) => Object.entries(nodeSelector).every(([key, value]) => labels[key] === value),
    );
    return those.length > 0 ? those : undefined;
  };

  return {
    onPlane: (store) => {
      changedAt = time.now();
      store.watch(POLICIES, store.version(), () => {
        changedAt = time.now();
      });
    },
    onSetOut: (set, node, revision) => {
      const store = storeNow();
      // People pace updates then.
      if (!store || set.spec?.updateStrategy?.type === 'OnDelete') return;
      if (time.now() - changedAt < SLACK_MS) return;
      const windows = windowsOf(store, set, node);
      if (!windows) return;
      const isOpen = (at: number) => windows.some((window) => isOpenAt(window, at));
      const wall = planeWallNow();
      if (!isOpen(wall) && !isOpen(wall - SLACK_MS))
        trace.break(
          'the windows',
          `${set.metadata.name}: ${node} is granted ${revision} while they are closed`,
        );
    },
  };
}

/** Windows of a run open every so many minutes of an hour, in any zone. */
function isOpenAt({ schedule, duration }: MaintenanceWindow, wallMs: number): boolean {
  const [, from, every] = /^(\d)-59\/(\d) /.exec(schedule)?.map(Number) ?? [];
  const minute = Math.floor(wallMs / MINUTE_MS) % 60;
  return (minute - (from ?? 0)) % (every ?? 1) === 0 && durationMs(duration) === MINUTE_MS;
}
