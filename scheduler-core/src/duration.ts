// Durations as Go, and so Kubernetes' metav1.Duration, writes them: 90s, 1h30m, 1.5h.

const UNITS: { readonly [unit: string]: number } = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds; undefined for what is none. */
export function durationMs(text: string): number | undefined {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (text !== '0' && (parts.length === 0 || parts.map(([whole]) => whole).join('') !== text))
    return undefined;
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * (UNITS[unit ?? ''] ?? 0), 0);
}
