// Why a pod cannot be expected to become available by itself: a container of it crashes again and again.
import type { PodReport } from '@fleetset/proto/gen/fleetset/v1/node';
import type { PodStatus } from '@fleetset/scheduler-core/schema/pod';

const known = new WeakMap<PodReport, { readonly failing: string | undefined }>();

/** Read once for each report: the loop asks in every pass. */
export function failingReason(pod: PodReport): string | undefined {
  if (pod.available) return undefined;
  const before = known.get(pod);
  if (before) return before.failing;
  const failing = readReason(pod.statusJson);
  known.set(pod, { failing });
  return failing;
}

function readReason(statusJson: string): string | undefined {
  try {
    const { containerStatuses } = JSON.parse(statusJson) as PodStatus;
    const crashing = containerStatuses?.find(({ state }) => state?.waiting?.reason === 'CrashLoopBackOff');
    return crashing && `container ${crashing.name} crashes again and again (CrashLoopBackOff)`;
  } catch {
    return undefined;
  }
}
