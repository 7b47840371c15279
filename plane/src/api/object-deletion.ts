// What becomes of an object that is deleted: gone at once, or kept until its finalizers are.
import type { KubeObject } from '../kinds/kind.ts';
import type { DeletePlan } from './effects.ts';

/** By its finalizers; a Namespace also by those of its spec, which go when it is empty. */
export function isHeld({ metadata, spec }: KubeObject): boolean {
  const { finalizers } = (spec ?? {}) as { readonly finalizers?: readonly string[] };
  return Boolean(metadata.finalizers?.length || finalizers?.length);
}

/** Gone at once, unless finalizers hold it. Nothing depends on it, so every cascade is the same. */
export const plainDelete = (object: KubeObject): DeletePlan =>
  object.metadata.finalizers?.length ? { keep: object, graceSeconds: 0 } : {};

export function withDeletion(object: KubeObject, graceSeconds = 0, now: string): KubeObject {
  if (object.metadata.deletionTimestamp) return object;
  return {
    ...object,
    metadata: { ...object.metadata, deletionTimestamp: now, deletionGracePeriodSeconds: graceSeconds },
  };
}
