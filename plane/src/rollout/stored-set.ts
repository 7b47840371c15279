// A DaemonSet and its revisions as the store has them.
import type { ControllerRevision, DaemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import type { KubeObject } from '../kinds/kind.ts';

export type StoredSet = DaemonSet & { readonly metadata: KubeObject['metadata'] };
export type StoredRevision = ControllerRevision & { readonly metadata: KubeObject['metadata'] };
