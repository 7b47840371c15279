// Cron schedules as Kubernetes' CronJobs have them. The only file that imports croner.
import { Cron } from 'croner';

const NAME = '[a-z]{3}';
const VALUE = `(\\d{1,2}|${NAME})`;
const ITEM = `([*?]|${VALUE}(-${VALUE})?)(/\\d{1,3})?`;
const FIELD = `${ITEM}(,${ITEM})*`;
const FIVE_FIELDS = new RegExp(`^${FIELD}(\\s+${FIELD}){4}$`, 'i');
const NICKNAME = /^@(yearly|annually|monthly|weekly|daily|midnight|hourly)$/;

/** So many at once; few are in use, and what nobody uses any more is not kept for ever. */
const MOST_KEPT = 1000;
const kept = new Map<string, Cron>();

function cronOf(schedule: string, timezone: string): Cron {
  const key = `${timezone}\n${schedule}`;
  const known = kept.get(key);
  if (known) return known;
  // Paused: it is asked for times and never runs anything. 5/15 is 5-59/15, as in Kubernetes.
  const made = new Cron(schedule, { timezone, mode: '5-part', paused: true, sloppyRanges: true });
  if (kept.size >= MOST_KEPT) kept.clear();
  kept.set(key, made);
  return made;
}

/** The first instant at which it comes after another; undefined when it never does. Throws for what is no schedule. */
export const nextStart = (schedule: string, timeZone: string, after: number): number | undefined =>
  cronOf(schedule, timeZone).nextRun(new Date(after))?.getTime();

const A_YEAR_BEGINS = Date.UTC(2000, 0, 1);

export function scheduleProblem(schedule: string): string | undefined {
  if (!FIVE_FIELDS.test(schedule) && !NICKNAME.test(schedule))
    return 'must be five fields in cron format (minute, hour, day of month, month, day of week), such as "0 2 * * 6"';
  try {
    return nextStart(schedule, 'UTC', A_YEAR_BEGINS) === undefined ? 'never comes' : undefined;
  } catch (error) {
    return (error as Error).message
      .replace(/^CronPattern: /, '')
      .replace(/^Invalid value for (\w+).*/, 'the $1 is out of range');
  }
}
