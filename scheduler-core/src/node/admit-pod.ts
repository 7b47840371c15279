// Whether a node takes a new pod at all, as a kubelet's admission (rule 10): what it rejects has failed, and is never
// started. A pod that runs is not asked again.
import type { PodSpec } from '../schema/pod.ts';
import { forbiddenSysctl } from './sysctls.ts';

/** What of the machine decides. */
export interface AdmittingMachine {
  /** As in the label kubernetes.io/os. */
  readonly os: string;
  /** Sysctls beyond the safe ones that its configuration allows, or beginnings of their names with a star. */
  readonly allowedUnsafeSysctls?: readonly string[];
}

export interface Rejection {
  /** As a kubelet names it. */
  readonly reason: string;
  readonly message: string;
}

export function admitPod(spec: PodSpec, machine: AdmittingMachine): Rejection | undefined {
  const wanted = spec.os?.name;
  if (wanted && wanted !== machine.os)
    return {
      reason: 'PodOSNotSupported',
      message: `Pod was rejected: it is for ${wanted} (spec.os.name), and the node runs ${machine.os}`,
    };
  const forbidden = forbiddenSysctl(spec, machine.allowedUnsafeSysctls ?? []);
  return forbidden === undefined
    ? undefined
    : { reason: 'SysctlForbidden', message: `Pod was rejected: ${forbidden}` };
}
