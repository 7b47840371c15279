// A DaemonSet and its revisions as the store has them.
import { revisionTemplate } from '@fleetset/scheduler-core/revision-history';
import type { ControllerRevision, DaemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import type { PodTemplateSpec } from '@fleetset/scheduler-core/schema/pod';
import type { KubeObject } from '../kinds/kind.ts';
import type { Store } from '../store/store.ts';
import { remembered } from './remembered.ts';

export type StoredSet = DaemonSet & { readonly metadata: KubeObject['metadata'] };
export type StoredRevision = ControllerRevision & { readonly metadata: KubeObject['metadata'] };

const templates = new WeakMap<object, PodTemplateSpec>();
/** Made once from each stored revision. */
export const templateOf = (revision: StoredRevision): PodTemplateSpec =>
  remembered(templates, revision, () => revisionTemplate(revision));

/** By the names of a DaemonSet and of one of its revisions: also of one that left its pods behind. */
export function templateStored(
  store: Store,
  namespace: string,
  daemonSet: string,
  hash: string,
): PodTemplateSpec | undefined {
  const stored = store.get('apps/controllerrevisions', `${namespace}/${daemonSet}-${hash}`)?.value;
  return stored && templateOf(stored as unknown as StoredRevision);
}
