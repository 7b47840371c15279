// The time zone of a node, as IANA names it, in a label: a label's value may hold neither "/" nor "+".

export const TIME_ZONE_LABEL = 'fleetset.dev/time-zone';

/** Europe/Berlin is Europe.Berlin, Etc/GMT+5 is Etc.GMT_plus_5. */
export const labelOfTimeZone = (zone: string): string => zone.replaceAll('/', '.').replaceAll('+', '_plus_');
export const timeZoneOfLabel = (value: string): string =>
  value.replaceAll('_plus_', '+').replaceAll('.', '/');

/** Making a format is slow, and every report of a node names its zone. Bounded: a name may be written in many cases. */
const known = new Set<string>();
const MOST_KNOWN = 1000;

/** A name that this machine's table of zones has; no offset such as +02:00. */
export function timeZoneProblem(zone: string): string | undefined {
  const problem = 'must be the name of a time zone as IANA has it, such as Europe/Berlin or UTC';
  if (known.has(zone)) return undefined;
  if (!/^[A-Za-z]/.test(zone)) return problem;
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    if (known.size < MOST_KNOWN) known.add(zone);
    return undefined;
  } catch {
    return problem;
  }
}

export const timeZoneLabelProblem = (value: string): string | undefined =>
  timeZoneProblem(timeZoneOfLabel(value)) &&
  'must be the name of a time zone with "." for "/" and "_plus_" for "+", such as Europe.Berlin';
