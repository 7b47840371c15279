// The holds on one machine: on its disk, so that they outlive its agent and its reboots. The agent sees them as the real
// one does, and how long each lasts is decided by the real core.
import type { AgentCoreParts } from '@fleetset/agent/agent-core-parts';
import { type Hold, type HoldShown, holdLeftMs } from '@fleetset/scheduler-core/node/hold';
import type { MachineTime } from '@fleetset/scheduler-core/node/ready-since';
import { utcText } from '@fleetset/scheduler-core/utc-text';
import { currentProgram } from './program.ts';

export interface NodeHolds {
  readonly put: (owner: string, forMs: number) => void;
  /** For the agent that starts. */
  readonly open: AgentCoreParts['openHolds'];
  /** Since when the agent that runs has known of a hold without a break; undefined: of none. */
  readonly knownSince: () => number | undefined;
  /** The agent is gone, and with it what it knew. */
  readonly forget: () => void;
}

export function createNodeHolds(
  now: () => number,
  machineTime: () => MachineTime,
  wallNow: () => number,
): NodeHolds {
  const holds: Hold[] = [];
  let look = () => {};
  let knownAt: number | undefined;
  const left = (hold: Hold) => holdLeftMs(hold, { wallMs: wallNow(), machine: machineTime() });

  const open: NodeHolds['open'] = async (onChange) => {
    let shown: readonly HoldShown[] = [];
    let timer: NodeJS.Timeout | undefined;
    const show = () => {
      const active = holds.filter((hold) => left(hold) > 0);
      const before = shown;
      shown = active.map((hold) => ({
        owner: hold.owner,
        reason: hold.reason,
        until: utcText(hold.setAt + hold.forMs),
      }));
      knownAt = active.length === 0 ? undefined : (knownAt ?? now());
      clearTimeout(timer);
      if (active.length > 0) timer = setTimeout(tick, Math.min(...active.map(left)) + 1);
      return before;
    };
    const tick = () => {
      const before = show();
      if (JSON.stringify(before) !== JSON.stringify(shown)) onChange(shown, before);
    };
    show();
    const agent = currentProgram();
    look = () => void agent.time.after(1, agent, tick);
    return {
      current: () => shown,
      look: async () => tick(),
      close: () => {
        clearTimeout(timer);
        look = () => {};
      },
    };
  };

  return {
    open,
    put: (owner, forMs) => {
      holds.push({ owner, reason: 'repairs', forMs, setAt: wallNow(), machine: machineTime() });
      look();
    },
    knownSince: () => knownAt,
    forget: () => {
      look = () => {};
      knownAt = undefined;
    },
  };
}
