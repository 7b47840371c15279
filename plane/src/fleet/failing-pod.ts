// Why a pod cannot be expected to become available by itself: it has failed, or a container of it crashes again and
// again.
import type { PodReport } from '@fleetset/proto/gen/fleetset/v1/node';
import type { PodStatus } from '@fleetset/scheduler-core/schema/pod';

interface Read {
  readonly failing: string | undefined;
  readonly ended: boolean;
}

const known = new WeakMap<PodReport, Read>();

/** Read once for each report: the loop asks in every pass. */
function read(pod: PodReport): Read {
  const before = known.get(pod);
  if (before) return before;
  const now = readStatus(pod.statusJson);
  known.set(pod, now);
  return now;
}

export const failingReason = (pod: PodReport): string | undefined =>
  pod.available ? undefined : read(pod).failing;

/** It has failed or succeeded. */
export const hasEnded = (pod: PodReport): boolean => !pod.available && read(pod).ended;

const NOTHING: Read = { failing: undefined, ended: false };

function readStatus(statusJson: string): Read {
  try {
    const { phase, reason, message, containerStatuses } = JSON.parse(statusJson) as PodStatus;
    if (phase === 'Failed')
      return { failing: `its pod has failed${reason ? ` (${reason}: ${message ?? ''})` : ''}`, ended: true };
    const crashing = containerStatuses?.find(({ state }) => state?.waiting?.reason === 'CrashLoopBackOff');
    const failing = crashing && `container ${crashing.name} crashes again and again (CrashLoopBackOff)`;
    return { failing, ended: phase === 'Succeeded' };
  } catch {
    return NOTHING;
  }
}
