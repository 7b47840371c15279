// What may be set about a machine as a node, beyond its name, labels and taints; with the defaults.
import { DEFAULT_IMAGE_LIMITS, type ImageLimits } from '@fleetset/scheduler-core/node/image-garbage';
import {
  DEFAULT_THRESHOLDS,
  DEFAULT_TRANSITION_MS,
  PRESSURE_SIGNALS,
  parseThreshold,
  type Thresholds,
} from '@fleetset/scheduler-core/node/node-pressure';

export interface NodeSettings {
  /** Where the agent tells how it is; absent: nowhere. */
  readonly local?: { readonly host: string; readonly port: number };
  /** What pods shall leave to the machine: allocatable is capacity without it. */
  readonly reserved: { readonly cpuMillis: number; readonly memoryBytes: number; readonly diskBytes: number };
  readonly thresholds: Thresholds;
  readonly transitionMs: number;
  readonly images: ImageSettings;
  readonly logs: LogSettings;
  /** As kubelet's --allowed-unsafe-sysctls: names, or beginnings of names with a star. */
  readonly allowedUnsafeSysctls: readonly string[];
  /** How long pods may take to end when the machine shuts down. */
  readonly shutdownGraceMs: number;
}

export interface ImageSettings extends ImageLimits {
  /** Images that others brought to the engine may be removed too. */
  readonly foreign: boolean;
  /** Nothing is pulled while less is free. */
  readonly minFreeBytes: number;
}

export interface LogSettings {
  readonly maxBytes: number;
  readonly maxFiles: number;
}

export const DEFAULT_NODE_SETTINGS: NodeSettings = {
  reserved: { cpuMillis: 0, memoryBytes: 0, diskBytes: 0 },
  thresholds: Object.fromEntries(
    PRESSURE_SIGNALS.map((signal) => [signal, parseThreshold(DEFAULT_THRESHOLDS[signal])]),
  ) as unknown as Thresholds,
  transitionMs: DEFAULT_TRANSITION_MS,
  images: { ...DEFAULT_IMAGE_LIMITS, foreign: false, minFreeBytes: 512 * 2 ** 20 },
  logs: { maxBytes: 10 * 2 ** 20, maxFiles: 3 },
  allowedUnsafeSysctls: [],
  shutdownGraceMs: 30_000,
};
