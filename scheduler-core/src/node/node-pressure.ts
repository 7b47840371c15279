// Whether a node is short of memory, disk or PIDs: kubelet's signals, defaults and transition period. A shortage
// taints the node; no pod is stopped for it.
import { parseQuantity, wholeUnits } from '../quantity.ts';
import type { NodeCondition } from '../schema/node.ts';
import type { Taint } from '../schema/scheduling.ts';

/** kubelet's defaults, which has none for pid.available. */
export const DEFAULT_THRESHOLDS = {
  'memory.available': '100Mi',
  'nodefs.available': '10%',
  'nodefs.inodesFree': '5%',
  'imagefs.available': '15%',
  'imagefs.inodesFree': '5%',
  'pid.available': '5%',
} as const;

/** Until a shortage that is over counts as over. */
export const DEFAULT_TRANSITION_MS = 300_000;

export type PressureSignal = keyof typeof DEFAULT_THRESHOLDS;
export const PRESSURE_SIGNALS = Object.keys(DEFAULT_THRESHOLDS) as readonly PressureSignal[];

/** An amount, or a share of what there is: `100Mi`, `10%`. */
export interface Threshold {
  readonly text: string;
  readonly amount?: number;
  readonly percent?: number;
}

export type Thresholds = { readonly [signal in PressureSignal]: Threshold };

/** Undefined when the text is neither a quantity from 0 nor a share from 0% to 100%. */
export function parseThreshold(text: string): Threshold | undefined {
  const share = /^(\d+(?:\.\d+)?)%$/.exec(text)?.[1];
  if (share !== undefined) return Number(share) <= 100 ? { text, percent: Number(share) } : undefined;
  const quantity = parseQuantity(text);
  return quantity && quantity.nano >= 0n ? { text, amount: wholeUnits(quantity) } : undefined;
}

/** How much there is of something, and how much of it is free. */
export interface Level {
  readonly available: number;
  readonly capacity: number;
}

/** What could be read now. */
export type Levels = { readonly [signal in PressureSignal]?: Level };

interface Kind {
  readonly signals: readonly PressureSignal[];
  readonly taint: string;
  readonly calm: { readonly reason: string; readonly message: string };
  readonly reason: string;
}

const KINDS = {
  MemoryPressure: {
    signals: ['memory.available'],
    taint: 'node.kubernetes.io/memory-pressure',
    calm: { reason: 'AgentHasSufficientMemory', message: 'There is enough memory.' },
    reason: 'AgentHasInsufficientMemory',
  },
  DiskPressure: {
    signals: ['nodefs.available', 'nodefs.inodesFree', 'imagefs.available', 'imagefs.inodesFree'],
    taint: 'node.kubernetes.io/disk-pressure',
    calm: { reason: 'AgentHasNoDiskPressure', message: 'There is enough disk space.' },
    reason: 'AgentHasDiskPressure',
  },
  PIDPressure: {
    signals: ['pid.available'],
    taint: 'node.kubernetes.io/pid-pressure',
    calm: { reason: 'AgentHasSufficientPID', message: 'There are enough PIDs.' },
    reason: 'AgentHasInsufficientPID',
  },
} as const satisfies { readonly [type: string]: Kind };

export type PressureType = keyof typeof KINDS;
export const PRESSURE_TYPES = Object.keys(KINDS) as readonly PressureType[];

export interface Shortage {
  /** When it was seen last, by a steady clock. */
  readonly metAt: number;
  /** Without figures: it stays the same while the shortage lasts. */
  readonly message: string;
}

/** The shortages that count now. */
export type NodePressure = { readonly [type in PressureType]?: Shortage };

export const NO_PRESSURE: NodePressure = {};

/** A shortage begins at once, and counts until nothing of it was seen for the transition period: without that a
 *  node at a threshold would be tainted and untainted all the time. What could not be read says nothing. */
export function judgePressure(
  before: NodePressure,
  levels: Levels,
  thresholds: Thresholds,
  now: number,
  transitionMs: number,
): NodePressure {
  const pressure: { [type in PressureType]?: Shortage } = {};
  for (const type of PRESSURE_TYPES) {
    const short = KINDS[type].signals.filter((signal) => isShort(levels[signal], thresholds[signal]));
    const old = before[type];
    if (short.length > 0) pressure[type] = { metAt: now, message: shortageMessage(short, thresholds) };
    else if (old && now - old.metAt < transitionMs) pressure[type] = old;
  }
  return pressure;
}

function isShort(level: Level | undefined, { amount, percent = 0 }: Threshold): boolean {
  if (!level || level.capacity <= 0) return false;
  return level.available < (amount ?? (level.capacity * percent) / 100);
}

const shortageMessage = (short: readonly PressureSignal[], thresholds: Thresholds): string =>
  `${short.map((signal) => `${signal} is below ${thresholds[signal].text}`).join(', ')}.`;

export const pressureConditions = (pressure: NodePressure): NodeCondition[] =>
  PRESSURE_TYPES.map((type) => {
    const shortage = pressure[type];
    return shortage
      ? { type, status: 'True', reason: KINDS[type].reason, message: shortage.message }
      : { type, status: 'False', ...KINDS[type].calm };
  });

/** As Kubernetes' node controller sets them. Daemon pods tolerate them by themselves (rule 4). */
export const pressureTaints = (pressure: NodePressure): Taint[] =>
  PRESSURE_TYPES.filter((type) => pressure[type] !== undefined).map((type) => ({
    key: KINDS[type].taint,
    effect: 'NoSchedule',
  }));
