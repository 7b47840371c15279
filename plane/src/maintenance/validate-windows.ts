// Maintenance windows of a RolloutPolicy or of a node's own configuration: every error at once, each with its path.
import { durationMs } from '@fleetset/scheduler-core/duration';
import type { MaintenanceWindow } from '@fleetset/scheduler-core/schema/rollout-policy';
import { timeZoneProblem } from '@fleetset/scheduler-core/time-zone';
import { checked, type FieldError, invalid, required } from '@fleetset/scheduler-core/validation/field-error';
import { validateLabels } from '@fleetset/scheduler-core/validation/metadata';
import { scheduleProblem } from './cron-schedule.ts';

const SHORTEST_MS = 60_000;
const LONGEST_HOURS = 8784;

export const validateWindows = (field: string, windows: readonly MaintenanceWindow[]): FieldError[] =>
  windows.flatMap(({ schedule, duration, timeZone, nodeSelector }, index) => {
    const at = `${field}[${index}]`;
    return [
      ...(schedule
        ? checked(`${at}.schedule`, schedule, scheduleProblem)
        : [required(`${at}.schedule`, 'cron format, such as "0 2 * * 6"')]),
      ...validateDuration(`${at}.duration`, duration),
      ...(timeZone === undefined ? [] : checked(`${at}.timeZone`, timeZone, timeZoneProblem)),
      ...validateLabels(`${at}.nodeSelector`, nodeSelector),
    ];
  });

function validateDuration(field: string, duration: string): FieldError[] {
  if (!duration) return [required(field, 'such as 4h or 1h30m')];
  const ms = durationMs(duration);
  if (ms === undefined) return [invalid(field, duration, 'must be a duration such as 4h or 1h30m')];
  return ms < SHORTEST_MS || ms > LONGEST_HOURS * 3_600_000
    ? [invalid(field, duration, `must be from 1m to ${LONGEST_HOURS}h`)]
    : [];
}
