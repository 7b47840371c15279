// A DaemonSet and its revisions as the store has them.
import { revisionTemplate } from '@fleetset/scheduler-core/revision-history';
import type { ControllerRevision, DaemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import type { PodTemplateSpec } from '@fleetset/scheduler-core/schema/pod';
import type { KubeObject } from '../kinds/kind.ts';
import { remembered } from './remembered.ts';

export type StoredSet = DaemonSet & { readonly metadata: KubeObject['metadata'] };
export type StoredRevision = ControllerRevision & { readonly metadata: KubeObject['metadata'] };

const templates = new WeakMap<object, PodTemplateSpec>();
/** Made once from each stored revision. */
export const templateOf = (revision: StoredRevision): PodTemplateSpec =>
  remembered(templates, revision, () => revisionTemplate(revision));
