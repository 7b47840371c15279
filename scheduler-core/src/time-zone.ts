// The time zone of a node, as IANA names it, in a label: a label's value may hold neither "/" nor "+".

export const TIME_ZONE_LABEL = 'fleetset.dev/time-zone';

/** Europe/Berlin is Europe.Berlin, Etc/GMT+5 is Etc.GMT_plus_5. */
export const labelOfTimeZone = (zone: string): string => zone.replaceAll('/', '.').replaceAll('+', '_plus_');
export const timeZoneOfLabel = (value: string): string =>
  value.replaceAll('_plus_', '+').replaceAll('.', '/');

/** A name that this machine's table of zones has; no offset such as +02:00. */
export function timeZoneProblem(zone: string): string | undefined {
  const problem = 'must be the name of a time zone as IANA has it, such as Europe/Berlin or UTC';
  if (!/^[A-Za-z]/.test(zone)) return problem;
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return undefined;
  } catch {
    return problem;
  }
}

export const timeZoneLabelProblem = (value: string): string | undefined =>
  timeZoneProblem(timeZoneOfLabel(value)) &&
  'must be the name of a time zone with "." for "/" and "_plus_" for "+", such as Europe.Berlin';
