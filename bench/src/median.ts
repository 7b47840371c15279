// Figures for people: medians, and how far the middle half spreads.

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export function quartiles(values: readonly number[]): readonly [number, number] {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN;
  return [at(0.25), at(0.75)];
}

/** `median (lower quartile - upper quartile) unit`. */
export function figure(values: readonly number[], unit: string, digits = 0): string {
  const [low, high] = quartiles(values);
  return `${median(values).toFixed(digits)} (${low.toFixed(digits)}-${high.toFixed(digits)}) ${unit}`;
}
