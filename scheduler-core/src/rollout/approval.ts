// What people approved, and whether it is for the rollout that is under way: a step is approved once for each of them.
import type { RolloutRecord } from './rollout-record.ts';

export type Approval =
  | { readonly revision: string; readonly waves: number; readonly attempt: number }
  /** Nothing that can be understood. */
  | { readonly text: string };

/** Of "REVISION/STEPS/ATTEMPT". */
export function approvalOf(text: string): Approval {
  const [, revision, waves, attempt] = /^([^/]+)\/(\d+)\/(\d+)$/.exec(text) ?? [];
  return revision === undefined ? { text } : { revision, waves: Number(waves), attempt: Number(attempt) };
}

type Rollout = Pick<RolloutRecord, 'newest' | 'attempt'>;

/** How many waves, from the first. */
export const approvedWaves = (approval: Approval | undefined, { newest, attempt }: Rollout): number =>
  approval && 'waves' in approval && approval.revision === newest && approval.attempt === attempt
    ? approval.waves
    : 0;

/** Why an approval that is there does not count. One of another revision has had its time. */
export function ignoredText(approval: Approval | undefined, { newest, attempt }: Rollout): string {
  if (approval === undefined) return '';
  if ('text' in approval) return ` ("${approval.text}" is none: REVISION/STEPS/ATTEMPT)`;
  if (approval.revision !== newest || approval.attempt === attempt) return '';
  return ` (that of attempt ${approval.attempt} does not count: this is attempt ${attempt})`;
}
