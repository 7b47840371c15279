// What writing one kind of object means beyond the object itself. Built by hand in the plane's main, because
// it needs to know the fleet; kinds without effects are only stored.
import type { Remarks } from '../admission/pod-security.ts';
import type { Kind, KubeObject } from '../kinds/kind.ts';
import type { Write } from '../store/store.ts';
import type { DeleteOptions } from './object-options.ts';

export interface DeletePlan {
  /** The object lives on like this, being deleted; absent: it is gone with this write. */
  readonly keep?: KubeObject;
  readonly graceSeconds?: number;
  /** Written together with it. */
  readonly writes?: readonly Write[];
}

export interface Effects {
  /** May refuse by throwing an ApiError. */
  readonly checkCreate?: (object: KubeObject) => void;
  readonly alongCreate?: (object: KubeObject) => readonly Write[];
  /** May adjust the object or refuse it by throwing an ApiError. */
  readonly checkUpdate?: (object: KubeObject, current: KubeObject) => KubeObject;
  /** Of a write that is let through. */
  readonly remarks?: (object: KubeObject, old: KubeObject | undefined) => Remarks;
  /** Written together with the end of an object, whichever way it comes to it. */
  readonly alongEnd?: (object: KubeObject) => readonly Write[];
  /** May refuse by throwing an ApiError. */
  readonly planDelete?: (object: KubeObject, options: DeleteOptions) => DeletePlan;
}

export type EffectsOf = (kind: Kind) => Effects;
