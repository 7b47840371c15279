// What is really so, from the engines and the plane's disk, whatever any plane or agent believes.

import { withoutLifecycle } from '@fleetset/plane/fleet/compose-node';
import type { Store } from '@fleetset/plane/store/store';
import { HOLDER } from '@fleetset/scheduler-core/node/pod-record';
import { decidePlacement, type PlacementDecision, placementRules } from '@fleetset/scheduler-core/placement';
import type { DaemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import type { Node } from '@fleetset/scheduler-core/schema/node';
import type { FakeContainer } from '../../agent/test/fake-runtime.ts';
import { appOf, isEverReady } from './apps.ts';
import type { Machine } from './machine.ts';

export type StoredSet = DaemonSet & { readonly metadata: { readonly uid: string; readonly name: string } };

export const setsIn = (store: Store): StoredSet[] =>
  [...store.list('apps/daemonsets')].map(({ value }) => value as unknown as StoredSet);

export const isApp = ({ identity }: FakeContainer): boolean => identity.name !== HOLDER;
export const podUidOf = ({ identity }: FakeContainer): string => identity.pod.uid;
export const setUidOf = (machine: Machine, { identity }: FakeContainer): string =>
  machine.ownerOf(identity.pod.daemonSetUid);

export const appIn = ({ settings }: FakeContainer) =>
  appOf([...(settings.entrypoint ?? []), ...(settings.args ?? [])]);

/** What the ConfigMap said when it was made. */
export const configIn = ({ settings }: FakeContainer): string | undefined =>
  settings.env.find((one) => one.startsWith('CONFIG='))?.slice('CONFIG='.length);

/** Running, and would say that it is ready. */
export function isReady(machine: Machine, container: FakeContainer, forMs = 0): boolean {
  if (container.state !== 'running') return false;
  const app = appIn(container);
  return isEverReady(app, machine.name) && machine.ranForMs(container) >= (app.readyMs ?? 0) + forMs;
}

/** Every container of one of its pods is ready, and has been for so long. */
export const isUp = (machine: Machine, setUid: string, forMs = 0): boolean =>
  up(machine, setUid, forMs).length > 0;

/** The revisions of such pods. */
export const upRevisions = (machine: Machine, setUid: string): string[] =>
  up(machine, setUid, 0).map(({ identity }) => identity.pod.revision);

/** All such pods. */
export const upPods = (machine: Machine, setUid: string, forMs = 0): string[] =>
  up(machine, setUid, forMs).map(podUidOf);

/** Of each pod that is up its last container. */
function up(machine: Machine, setUid: string, forMs: number): FakeContainer[] {
  const missing = new Map<string, number>();
  return machine.engine.containers().filter((container) => {
    if (setUidOf(machine, container) !== setUid || !isApp(container) || !isReady(machine, container, forMs))
      return false;
    const uid = podUidOf(container);
    const left = (missing.get(uid) ?? appIn(container).of) - 1;
    missing.set(uid, left);
    return left === 0;
  });
}

/** From what operators say of the node; the plane's own taints are not the node's business. */
export function decisionFor(store: Store, nodeName: string, set: StoredSet): PlacementDecision {
  const node = store.get('core/nodes', nodeName)?.value as unknown as Node | undefined;
  if (!node) return 'Leave';
  return decidePlacement(placementRules(set.spec?.template?.spec ?? { containers: [] }), {
    name: nodeName,
    labels: node.metadata?.labels ?? {},
    taints: withoutLifecycle(node.spec?.taints ?? []),
  }).decision;
}
