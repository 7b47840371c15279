// What people ask of one DaemonSet's rollout: its policy, and annotations that `fleetset rollout` writes.
import type { DaemonSet } from '../schema/daemon-set.ts';
import type { RolloutPolicy } from '../schema/rollout-policy.ts';
import { type Approval, approvalOf } from './approval.ts';
import { choosePolicy } from './choose-policy.ts';
import { type Pacing, pacingOf } from './pacing.ts';

const PAUSED = 'fleetset.dev/paused';
/** "REVISION/STEPS/ATTEMPT": so many steps of this rollout, of this revision, are approved. */
const APPROVED = 'fleetset.dev/approved-steps';
/** "REVISION/ANYTHING": another value than before asks for another try. */
const RETRY = 'fleetset.dev/retry';

export interface RolloutWishes {
  readonly pacing: Pacing;
  readonly approval?: Approval;
  readonly retry?: string;
}

/** Whether a change of its ConfigMaps and Secrets is rolled out as a revision. */
export const wantsConfigRollout = (daemonSet: DaemonSet, policies: readonly RolloutPolicy[]): boolean =>
  choosePolicy(daemonSet, policies)?.spec.configRollout === true;

/** `newest`: the revision of its template. */
export function rolloutWishes(
  daemonSet: DaemonSet,
  policies: readonly RolloutPolicy[],
  newest: string,
): RolloutWishes {
  const { namespace = '', annotations = {} } = daemonSet.metadata ?? {};
  const policy = choosePolicy(daemonSet, policies);
  const source = policy ? `RolloutPolicy ${namespace}/${policy.metadata?.name}` : 'the defaults';
  const pacing = pacingOf(source, policy?.spec, daemonSet.spec?.minReadySeconds);
  const paused = annotations[PAUSED] === 'true';
  const approval = annotations[APPROVED];
  const retry = annotations[RETRY];
  return {
    pacing: paused ? { ...pacing, paused, source: `the annotation ${PAUSED}` } : pacing,
    ...(approval === undefined ? {} : { approval: approvalOf(approval) }),
    ...(retry?.startsWith(`${newest}/`) ? { retry } : {}),
  };
}
