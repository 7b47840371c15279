// What goes into a container's settings beside its spec, and its name in the engine.
import type { PodRecord } from '@fleetset/scheduler-core/node/pod-record';
import type { PodSpec } from '@fleetset/scheduler-core/schema/pod';
import type { Resolver } from './container-runtime.ts';

export interface SettingsInput {
  readonly pod: PodRecord;
  readonly spec: PodSpec;
  readonly attempt: number;
  /** The USER of the container's image; needed where `takesImageUser` says so. */
  readonly imageUser?: string;
  /** Of the pod's network, when it has one of its own. */
  readonly holder?: { readonly id: string; readonly attempt: number };
  readonly nodeMemoryBytes: number;
  /** The lowest score this machine may set; kernels refuse lower ones without CAP_SYS_RESOURCE. */
  readonly minOomScoreAdjust: number;
  /** Of the pod's template. */
  readonly annotations?: { readonly [name: string]: string };
  /** The content of the profile that `localSeccompProfile` names. */
  readonly seccompProfile?: string;
  /** How this machine resolves names; needed where a pod adds to it. */
  readonly hostResolver?: Resolver;
  /** On the machine, for what the container says at its end. */
  readonly terminationLog?: string;
}

/** Docker's names are one for the whole engine: the pod's uid and the attempt make this one. */
export const engineName = ({ pod, attempt }: SettingsInput, name: string): string =>
  `fleetset_${name}_${pod.name}_${pod.namespace}_${pod.uid}_${attempt}`;
