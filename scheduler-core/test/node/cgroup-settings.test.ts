// Proves requests and limits as the kernel's settings (rule 111).
import { type CgroupSettings, cgroupSettings } from '@fleetset/scheduler-core/node/cgroup-settings';
import type { Container } from '@fleetset/scheduler-core/schema/container';
import { expect, test } from 'vitest';

test.each<[string, Container['resources'], CgroupSettings]>([
  ['nothing asked is the least share and no limit', undefined, { cpuShares: 2 }],
  ['one core requested', { requests: { cpu: '1' } }, { cpuShares: 1024 }],
  ['a request of zero', { requests: { cpu: '0' } }, { cpuShares: 2 }],
  ['one thousandth, rounded down to the least', { requests: { cpu: '1m' } }, { cpuShares: 2 }],
  ['a quarter', { requests: { cpu: '250m' } }, { cpuShares: 256 }],
  ['shares are cut off at the most', { requests: { cpu: '1k' } }, { cpuShares: 262_144 }],
  [
    'rule 76: the limit is the request when none is given',
    { limits: { cpu: '500m' } },
    { cpuShares: 512, cpuPeriod: 100_000, cpuQuota: 50_000 },
  ],
  [
    'the request makes the share, the limit the quota',
    { requests: { cpu: '100m' }, limits: { cpu: '2' } },
    { cpuShares: 102, cpuPeriod: 100_000, cpuQuota: 200_000 },
  ],
  ['a quota has a least', { limits: { cpu: '1m' } }, { cpuShares: 2, cpuPeriod: 100_000, cpuQuota: 1000 }],
  ['a limit of zero is none', { limits: { cpu: '0', memory: '0' } }, { cpuShares: 2 }],
  ['memory is limited by the limit only', { requests: { memory: '1Gi' } }, { cpuShares: 2 }],
  ['a memory limit in bytes', { limits: { memory: '128Mi' } }, { cpuShares: 2, memoryBytes: 134_217_728 }],
  ['a fraction of a byte rounds up', { limits: { memory: '1.5' } }, { cpuShares: 2, memoryBytes: 2 }],
])('%s', (_sentence, resources, settings) => {
  expect(cgroupSettings({ name: 'c', ...(resources ? { resources } : {}) })).toEqual(settings);
});
