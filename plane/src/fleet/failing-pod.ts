// Why a pod cannot be expected to become available by itself: it has failed, a container of it crashes again and again,
// it does not fit on its node, or a port that it needs is taken there.
import type { PodReport } from '@fleetset/proto/gen/fleetset/v1/node';
import type { PodStatus } from '@fleetset/scheduler-core/schema/pod';

interface Read {
  readonly waits: string | undefined;
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

/** Why it is not up, as far as its containers say. */
export const troubleOf = (pod: PodReport): string | undefined =>
  pod.available ? undefined : (read(pod).failing ?? read(pod).waits);

/** It has failed or succeeded. */
export const hasEnded = (pod: PodReport): boolean => !pod.available && read(pod).ended;

const NOTHING: Read = { waits: undefined, failing: undefined, ended: false };

/** Every container waits for these in passing. */
const IN_PASSING = ['ContainerCreating', 'PodInitializing'];

function readStatus(statusJson: string): Read {
  try {
    return readTrouble(JSON.parse(statusJson) as PodStatus);
  } catch {
    return NOTHING;
  }
}

/** Of a pod that is not available. */
export function readTrouble({
  phase,
  reason,
  message,
  initContainerStatuses = [],
  containerStatuses = [],
  conditions = [],
}: PodStatus): Read {
  if (phase === 'Failed')
    return {
      ...NOTHING,
      failing: `its pod has failed${reason ? ` (${reason}: ${message ?? ''})` : ''}`,
      ended: true,
    };
  const unscheduled = conditions.find(({ type, status }) => type === 'PodScheduled' && status === 'False');
  if (unscheduled) return { ...NOTHING, failing: `${unscheduled.reason}: ${unscheduled.message}` };
  const waiting = [...initContainerStatuses, ...containerStatuses].flatMap(({ name, state, lastState }) =>
    state?.waiting?.reason ? [{ name, reason: state.waiting.reason, end: lastState?.terminated }] : [],
  );
  const crashing = waiting.find((one) => one.reason === 'CrashLoopBackOff');
  const failing = crashing && crashText(crashing);
  const held = waiting.find((one) => !IN_PASSING.includes(one.reason));
  const waits = held && `container ${held.name} waits (${held.reason})`;
  return { waits, failing, ended: phase === 'Succeeded' };
}

interface Crashing {
  readonly name: string;
  readonly end: { readonly reason?: string; readonly message?: string } | undefined;
}

/** What kept it from starting says more than that it did not. */
const crashText = ({ name, end }: Crashing): string =>
  end?.reason === 'StartError'
    ? `container ${name} cannot be started (CrashLoopBackOff: ${end.message ?? ''})`
    : `container ${name} crashes again and again (CrashLoopBackOff)`;
