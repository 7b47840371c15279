// Instants as texts in UTC. Not by Date's own toISOString: V8 looks up the machine's time zone and its names there, which
// no UTC text needs, and from then on a process carries ICU's tables along (1.3 MiB, most of it private).

/** 2030-01-02T03:04:05Z: seconds are what Kubernetes' timestamps have. */
export const utcText = (instant: number): string => `${upToSeconds(new Date(instant))}Z`;

/** 2030-01-02T03:04:05.678Z */
export const utcTextWithMs = (instant: number): string => {
  const date = new Date(instant);
  return `${upToSeconds(date)}.${padded(date.getUTCMilliseconds(), 3)}Z`;
};

function upToSeconds(date: Date): string {
  const year = date.getUTCFullYear();
  // Years that need a sign, and no date at all, which throws.
  if (!(year >= 0 && year <= 9999)) return date.toISOString().replace(/\.\d+Z$/, '');
  const day = `${padded(year, 4)}-${padded(date.getUTCMonth() + 1, 2)}-${padded(date.getUTCDate(), 2)}`;
  const time = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map((part) =>
    padded(part, 2),
  );
  return `${day}T${time.join(':')}`;
}

const padded = (value: number, width: number): string => String(value).padStart(width, '0');
