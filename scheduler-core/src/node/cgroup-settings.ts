// Requests and limits as the kernel's settings (rule 111).
import { milliUnits, parseQuantity, wholeUnits } from '../quantity.ts';
import type { Container } from '../schema/container.ts';

export interface CgroupSettings {
  /** cpu.shares of cgroup v1, from the request. */
  readonly cpuShares: number;
  /** Microseconds per 100 ms; absent: no limit. */
  readonly cpuQuota?: number;
  readonly cpuPeriod?: number;
  /** Bytes; absent: no limit. */
  readonly memoryBytes?: number;
}

const PERIOD_MICROSECONDS = 100_000;
const MIN_SHARES = 2;
const MAX_SHARES = 262_144;
const MIN_QUOTA = 1000;

export function cgroupSettings({ resources }: Container): CgroupSettings {
  const request = amount(resources?.requests?.cpu ?? resources?.limits?.cpu, milliUnits);
  const cpuLimit = amount(resources?.limits?.cpu, milliUnits);
  const memory = amount(resources?.limits?.memory, wholeUnits);
  return {
    cpuShares: Math.min(MAX_SHARES, Math.max(MIN_SHARES, Math.floor((request * 1024) / 1000))),
    ...(cpuLimit > 0
      ? {
          cpuPeriod: PERIOD_MICROSECONDS,
          cpuQuota: Math.max(MIN_QUOTA, Math.floor((cpuLimit * PERIOD_MICROSECONDS) / 1000)),
        }
      : {}),
    ...(memory > 0 ? { memoryBytes: memory } : {}),
  };
}

function amount(
  text: string | undefined,
  unit: (quantity: NonNullable<ReturnType<typeof parseQuantity>>) => number,
): number {
  const quantity = text === undefined ? undefined : parseQuantity(text);
  return quantity ? unit(quantity) : 0;
}
