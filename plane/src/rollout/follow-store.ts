// What is written to the store that the rollout loop wakes for, and what it looks at again then.
import { sameJson } from '@fleetset/scheduler-core/canonical-json';
import type { ConfigKind } from '@fleetset/scheduler-core/node/config-data';
import { policyOf } from '@fleetset/scheduler-core/pod-security/policy';
import type { Node } from '@fleetset/scheduler-core/schema/node';
import { ORPHANS } from '../fleet/orphans.ts';
import { TOMBSTONES } from '../fleet/tombstones.ts';
import type { KubeObject } from '../kinds/kind.ts';
import type { Change, Store } from '../store/store.ts';
import { ownerOf } from './revision-index.ts';
import type { StoredRevision } from './stored-set.ts';
import { ACCOUNTS } from './told-accounts.ts';
import { CONFIG_COLLECTIONS } from './told-configs.ts';

/** What is looked at again. */
export interface Touch {
  readonly set: (uid: string) => void;
  readonly node: (name: string) => void;
  readonly allSets: () => void;
  readonly setsIn: (namespace: string) => void;
  readonly allNodes: () => void;
  /** Nodes that are told of a ConfigMap, a Secret or a ServiceAccount, and DaemonSets that roll out its changes or pull
   *  their images in advance with it. */
  readonly told: (object: string) => readonly [nodes: Iterable<string>, sets: Iterable<string>];
  readonly revisions: () => void;
  readonly wake: () => void;
}

export function followStore(store: Store, touch: Touch): { readonly close: () => void } {
  const follow = (collection: string, onChange: (change: Change) => void) =>
    store.watch(collection, store.version(), (change) => {
      onChange(change);
      touch.wake();
    });
  /** Most objects of these kinds are nobody's here. */
  const followNamed = (kind: ConfigKind | 'ServiceAccount', collection: string) =>
    store.watch(collection, store.version(), ({ id }) => {
      const [nodes, sets] = touch.told(`${kind}/${id}`).map((names) => [...names]);
      nodes?.forEach(touch.node);
      sets?.forEach(touch.set);
      if (nodes?.length || sets?.length) touch.wake();
    });
  const watches = [
    followNamed('ConfigMap', CONFIG_COLLECTIONS.ConfigMap),
    followNamed('Secret', CONFIG_COLLECTIONS.Secret),
    followNamed('ServiceAccount', ACCOUNTS),
    follow('apps/daemonsets', (change) => {
      if (isStatusOnly(change)) return;
      touch.set(uidOf(change));
      touch.allNodes();
    }),
    follow('apps/controllerrevisions', ({ value, previous }) => {
      touch.revisions();
      // One that is still needed is made again.
      if (!value && previous) touch.set(ownerOf(previous as unknown as StoredRevision));
    }),
    follow('core/namespaces', ({ id, value, previous }) => {
      if (isSameSecurity(value, previous)) return;
      touch.setsIn(id);
      touch.allNodes();
    }),
    follow('fleetset.dev/rolloutpolicies', touch.allSets),
    follow('core/nodes', (change) => {
      if (isHeartbeatOnly(change)) return;
      touch.node(change.id);
      touch.allSets();
    }),
    follow(TOMBSTONES, ({ id }) => {
      touch.node(id.slice(0, id.lastIndexOf('/')));
      touch.allSets();
    }),
    follow(ORPHANS, ({ id }) => {
      touch.set(id);
      touch.allSets();
      touch.allNodes();
    }),
  ];
  return {
    close: () => {
      for (const watch of watches) if (watch !== 'expired') watch.close();
    },
  };
}

export const uidOf = ({ value, previous }: Pick<Change, 'value' | 'previous'>): string =>
  ((value ?? previous) as unknown as KubeObject | undefined)?.metadata.uid ?? '';

/** The plane's own status writes need no second look. */
function isStatusOnly({ value, previous }: Change): boolean {
  const now = value as unknown as KubeObject | undefined;
  const before = previous as unknown as KubeObject | undefined;
  return (
    now !== undefined &&
    before !== undefined &&
    now.spec === before.spec &&
    now.metadata.labels === before.metadata.labels &&
    now.metadata.annotations === before.metadata.annotations &&
    now.metadata.deletionTimestamp === before.metadata.deletionTimestamp
  );
}

function isHeartbeatOnly({ value, previous }: Change): boolean {
  const now = value as unknown as Node | undefined;
  const before = previous as unknown as Node | undefined;
  if (!now || !before) return false;
  const ready = ({ status }: Node) => status?.conditions?.find(({ type }) => type === 'Ready')?.status;
  return (
    now.spec === before.spec &&
    now.metadata?.labels === before.metadata?.labels &&
    ready(now) === ready(before)
  );
}

/** What its pods may be is as before. */
function isSameSecurity(now: Change['value'], before: Change['value']): boolean {
  const enforced = (value: Change['value']) =>
    policyOf((value as unknown as KubeObject | undefined)?.metadata.labels ?? {}).enforce;
  return sameJson(enforced(now), enforced(before));
}
