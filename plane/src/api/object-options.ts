// How an object is to be written or deleted, and what came of it.
import type { Remarks } from '../admission/pod-security.ts';
import type { KubeObject } from '../kinds/kind.ts';

export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldValidation: 'Strict' | 'Warn' | 'Ignore';
  /** Of the object as it would be written, and as it was; may refuse by throwing an ApiError. */
  readonly admit?: (object: KubeObject, old: KubeObject | undefined) => void;
  /** Fields that the request's body sets more than once; asked for where it matters. */
  readonly duplicates?: () => readonly string[];
  /** Who is to own what this write sets; absent: the plane. */
  readonly manager?: string;
  /** Only this part is written. */
  readonly subresource?: 'status' | 'finalize';
}

export interface ApplyOptions extends WriteOptions {
  /** Takes from other managers what they own. */
  readonly force: boolean;
}

export interface Written {
  readonly object: KubeObject;
  /** For Warning headers. */
  readonly warnings: readonly string[];
  /** For the audit log. */
  readonly annotations?: Remarks['annotations'];
}

export interface DeleteOptions {
  readonly dryRun: boolean;
  /** Absent: as the object's finalizers say, else in the background. */
  readonly propagation?: 'Background' | 'Foreground' | 'Orphan' | undefined;
  readonly graceSeconds?: number;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
}

/** `gone` is false while the object lives on, being deleted. */
export interface Removed {
  readonly object: KubeObject;
  readonly gone: boolean;
}
