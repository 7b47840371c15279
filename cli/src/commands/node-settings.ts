// The part of agent.yaml that is about the machine as a node: its local address, what is reserved, thresholds, images,
// logs and shutdown. In kubelet's names and units wherever it has them.
import { DEFAULT_NODE_SETTINGS, type NodeSettings } from '@fleetset/agent/node-settings';
import {
  PRESSURE_SIGNALS,
  type PressureSignal,
  parseThreshold,
  type Threshold,
  type Thresholds,
} from '@fleetset/scheduler-core/node/node-pressure';
import { sysctlPatternProblem } from '@fleetset/scheduler-core/node/sysctls';
import { milliUnits, parseQuantity, type Quantity, wholeUnits } from '@fleetset/scheduler-core/quantity';
import { type Config, parseDurationWithin, parseHostPort, textKey } from '../options.ts';
import { UsageError } from '../usage-error.ts';

export const NODE_KEYS = [
  'localAddress',
  'systemReserved',
  'pressureThresholds',
  'pressureTransitionPeriod',
  'imageGCHighThresholdPercent',
  'imageGCLowThresholdPercent',
  'imageMinimumGCAge',
  'imageGCForeign',
  'imagePullMinFree',
  'containerLogMaxSize',
  'containerLogMaxFiles',
  'allowedUnsafeSysctls',
  'shutdownGracePeriod',
];

export const DEFAULT_LOCAL_ADDRESS = '127.0.0.1:6445';

/** `localAddress` as a flag says it wins over the file. */
export function nodeSettings(config: Config, localAddress: string | undefined): NodeSettings {
  const { transitionMs, images, logs, shutdownGraceMs } = DEFAULT_NODE_SETTINGS;
  const local = localAddress ?? textKey(config, 'localAddress') ?? DEFAULT_LOCAL_ADDRESS;
  return {
    ...(local === 'off' ? {} : { local: parseHostPort('localAddress', local) }),
    reserved: reservedOf(config),
    thresholds: thresholdsOf(config),
    transitionMs: durationKey(config, 'pressureTransitionPeriod', ['0', '24h']) ?? transitionMs,
    images: {
      ...watermarksOf(config),
      minAgeMs: durationKey(config, 'imageMinimumGCAge', ['0', '8760h']) ?? images.minAgeMs,
      foreign: flagKey(config, 'imageGCForeign') ?? images.foreign,
      minFreeBytes: bytesKey(config, 'imagePullMinFree') ?? images.minFreeBytes,
    },
    logs: {
      maxBytes: atLeast(
        'containerLogMaxSize',
        bytesKey(config, 'containerLogMaxSize') ?? logs.maxBytes,
        4096,
      ),
      maxFiles: countKey(config, 'containerLogMaxFiles', 2, 1000) ?? logs.maxFiles,
    },
    allowedUnsafeSysctls: sysctlsOf(config),
    shutdownGraceMs: durationKey(config, 'shutdownGracePeriod', ['0', '1h']) ?? shutdownGraceMs,
  };
}

function reservedOf(config: Config): NodeSettings['reserved'] {
  const given = mapKey(config, 'systemReserved', ['cpu', 'memory', 'ephemeral-storage']);
  const quantity = (name: string) => quantityOf(`systemReserved.${name}`, given[name] ?? '0');
  return {
    cpuMillis: milliUnits(quantity('cpu')),
    memoryBytes: wholeUnits(quantity('memory')),
    diskBytes: wholeUnits(quantity('ephemeral-storage')),
  };
}

function thresholdsOf(config: Config): Thresholds {
  const given = mapKey(config, 'pressureThresholds', PRESSURE_SIGNALS);
  const parsed = Object.entries(given).map(([signal, value]): [PressureSignal, Threshold] => {
    const threshold = parseThreshold(String(value));
    if (!threshold)
      throw new UsageError(
        `pressureThresholds.${signal}: ${JSON.stringify(value)} is neither a quantity such as 100Mi nor a share such as 10%`,
      );
    return [signal as PressureSignal, threshold];
  });
  return { ...DEFAULT_NODE_SETTINGS.thresholds, ...Object.fromEntries(parsed) };
}

function watermarksOf(config: Config): { readonly highPercent: number; readonly lowPercent: number } {
  const { images } = DEFAULT_NODE_SETTINGS;
  const highPercent = countKey(config, 'imageGCHighThresholdPercent', 0, 100) ?? images.highPercent;
  const lowPercent = countKey(config, 'imageGCLowThresholdPercent', 0, 100) ?? images.lowPercent;
  if (lowPercent >= highPercent)
    throw new UsageError(
      `imageGCLowThresholdPercent: ${lowPercent} must be less than imageGCHighThresholdPercent, which is ${highPercent}`,
    );
  return { highPercent, lowPercent };
}

function sysctlsOf(config: Config): readonly string[] {
  const patterns = config.allowedUnsafeSysctls ?? [];
  if (!Array.isArray(patterns)) throw new UsageError('allowedUnsafeSysctls: must be a list');
  return patterns.map((pattern: unknown, index) => {
    const problem = typeof pattern === 'string' ? sysctlPatternProblem(pattern) : 'must be a text';
    if (problem !== undefined)
      throw new UsageError(`allowedUnsafeSysctls[${index}]: ${JSON.stringify(pattern)} ${problem}`);
    return String(pattern);
  });
}

const absent = (value: unknown): boolean => value === undefined || value === null;

function mapKey(config: Config, key: string, known: readonly string[]): { readonly [name: string]: unknown } {
  const value = config[key];
  if (absent(value)) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw new UsageError(`${key}: must be a map`);
  const map = value as { readonly [name: string]: unknown };
  for (const name of Object.keys(map))
    if (!known.includes(name))
      throw new UsageError(`${key}: unknown key ${JSON.stringify(name)}; known are ${known.join(', ')}`);
  return map;
}

function quantityOf(name: string, value: unknown): Quantity {
  const quantity =
    typeof value === 'string' || typeof value === 'number' ? parseQuantity(String(value)) : undefined;
  if (!quantity || quantity.nano < 0n)
    throw new UsageError(`${name}: ${JSON.stringify(value)} is not a quantity from 0 such as 500m or 1Gi`);
  return quantity;
}

const bytesKey = (config: Config, key: string): number | undefined =>
  absent(config[key]) ? undefined : wholeUnits(quantityOf(key, config[key]));

function atLeast(name: string, value: number, least: number): number {
  if (value < least) throw new UsageError(`${name}: must be at least ${least} bytes`);
  return value;
}

function countKey(config: Config, key: string, least: number, most: number): number | undefined {
  const value = config[key];
  if (absent(value)) return undefined;
  if (!Number.isInteger(value) || Number(value) < least || Number(value) > most)
    throw new UsageError(`${key}: ${JSON.stringify(value)} must be a whole number from ${least} to ${most}`);
  return Number(value);
}

function flagKey(config: Config, key: string): boolean | undefined {
  const value = config[key];
  if (absent(value)) return undefined;
  if (typeof value !== 'boolean') throw new UsageError(`${key}: must be true or false`);
  return value;
}

function durationKey(config: Config, key: string, range: readonly [string, string]): number | undefined {
  const value = config[key];
  if (absent(value)) return undefined;
  return parseDurationWithin(key, String(value), range);
}
