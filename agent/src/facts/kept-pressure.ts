// What the node is short of, looked at as often as a kubelet does, and told as events when it changes.
import {
  judgePressure,
  type Levels,
  NO_PRESSURE,
  type NodePressure,
  PRESSURE_TYPES,
  pressureConditions,
} from '@fleetset/scheduler-core/node/node-pressure';
import { every } from '../every.ts';
import type { AgentEvents } from '../node/agent-events.ts';
import type { NodeSettings } from '../node-settings.ts';

export interface KeptPressure {
  readonly now: () => NodePressure;
  /** Until the signal; calls back when what is short has changed. */
  readonly keep: (signal: AbortSignal, onChange: () => void) => void;
}

export interface PressureParts {
  readonly nodeName: string;
  readonly settings: Pick<NodeSettings, 'thresholds' | 'transitionMs'>;
  readonly read: () => Promise<Levels>;
  readonly events: AgentEvents;
  readonly monotonicNow: () => number;
}

const LOOK = { periodMs: 10_000, retryMs: 10_000 };

export function createKeptPressure(parts: PressureParts): KeptPressure {
  const { thresholds, transitionMs } = parts.settings;
  let pressure: NodePressure = NO_PRESSURE;
  const look = async (): Promise<boolean> => {
    const levels = await parts.read();
    const before = pressure;
    pressure = judgePressure(before, levels, thresholds, parts.monotonicNow(), transitionMs);
    tell(parts, before, pressure);
    return PRESSURE_TYPES.some((type) => before[type]?.message !== pressure[type]?.message);
  };
  return {
    now: () => pressure,
    keep: (signal, onChange) => {
      void every(LOOK, signal, async () => {
        if ((await look()) && !signal.aborted) onChange();
      });
    },
  };
}

/** In kubelet's words. */
const EVENTS = {
  MemoryPressure: ['NodeHasInsufficientMemory', 'NodeHasSufficientMemory'],
  DiskPressure: ['NodeHasDiskPressure', 'NodeHasNoDiskPressure'],
  PIDPressure: ['NodeHasInsufficientPID', 'NodeHasSufficientPID'],
} as const;

function tell({ nodeName, events }: PressureParts, before: NodePressure, now: NodePressure): void {
  for (const { type, message } of pressureConditions(now)) {
    const kind = type as keyof typeof EVENTS;
    if ((before[kind] === undefined) === (now[kind] === undefined)) continue;
    const [short, calm] = EVENTS[kind];
    events.add(
      now[kind]
        ? { type: 'Warning', reason: short, message: `Node ${nodeName} status is now: ${short}: ${message}` }
        : { type: 'Normal', reason: calm, message: `Node ${nodeName} status is now: ${calm}` },
    );
  }
}
