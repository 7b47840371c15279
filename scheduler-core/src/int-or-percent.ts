// "maxUnavailable: 1" or "maxUnavailable: 25%" (rules 31 and 69).

/** Digits and a percent sign, 0% to 100%; integers from 0. */
export function isIntOrPercent(value: number | string): boolean {
  if (typeof value === 'number') return Number.isInteger(value) && value >= 0;
  const percent = /^(\d+)%$/.exec(value)?.[1];
  return percent !== undefined && Number(percent) <= 100;
}

/** The count that `value` means out of `total`; percentages round up. Unreadable text counts as 0. */
export function scaledCount(value: number | string | undefined, total: number): number {
  if (value === undefined) return 0;
  if (typeof value === 'number') return value;
  const percent = /^(\d+)%$/.exec(value)?.[1];
  return percent === undefined ? 0 : Math.ceil((Number(percent) * total) / 100);
}
