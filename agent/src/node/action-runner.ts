// Runs the actions that a plan asks for, one at a time for each thing they touch, and what is to follow one at once.
// Whatever comes of them, the loop goes round again.
import { actionKey, type NodeAction } from '@fleetset/scheduler-core/node/node-action';
import type { Logger } from 'pino';
import { pause } from '../pause.ts';
import type { ActionOutcomes } from './action-outcomes.ts';

export interface RunnerParts {
  /** Answers what would follow at once, on the same thing. */
  readonly execute: (action: NodeAction) => Promise<NodeAction | undefined>;
  /** By the newest plan, asked when it would begin. */
  readonly mayFollow: (action: NodeAction) => boolean;
  readonly outcomes: ActionOutcomes;
  readonly logger: Logger;
  /** An action has ended, what followed it, and its back-off of its own with it. `held`: it failed, and was not tried
   *  again for a while. */
  readonly onEnded: (action: NodeAction, how: { readonly held: boolean }) => void;
  readonly signal: AbortSignal;
}

export interface ActionRunner {
  /** By their keys; kept up to date. */
  readonly busy: ReadonlyMap<string, NodeAction['kind']>;
  /** Not begun when what it touches is busy. */
  readonly launch: (action: NodeAction) => boolean;
  /** What is under way is ended; nothing more begins. */
  readonly close: () => void;
  readonly underWay: () => readonly Promise<void>[];
}

/** A failure that is not a container's own (engine away, disk full) is not tried again at once. */
export const HOLD_AFTER_FAILURE_MS = 3000;

export function createActionRunner({
  execute,
  mayFollow,
  outcomes,
  logger,
  onEnded,
  signal,
}: RunnerParts): ActionRunner {
  const busy = new Map<string, NodeAction['kind']>();
  const running = new Set<Promise<void>>();
  let closed = false;

  /** Answers how long the key stays busy after a failure that has no back-off of its own. */
  const settle = (action: NodeAction, error: unknown): number => {
    if (outcomes.failed(action, error)) return 0;
    if (!signal.aborted) logger.warn({ err: error, action: action.kind }, `${action.kind} failed`);
    return HOLD_AFTER_FAILURE_MS;
  };

  const isOver = () => signal.aborted || closed;

  /** Answers as `settle`. */
  const runAll = async (key: string, first: NodeAction): Promise<number> => {
    let action = first;
    try {
      for (;;) {
        busy.set(key, action.kind);
        outcomes.begun(action);
        logger.debug({ action }, `${action.kind}: ${action.reason}`);
        const next = await execute(action);
        outcomes.succeeded(action);
        if (!next || isOver() || !mayFollow(next)) return 0;
        action = next;
      }
    } catch (error) {
      return settle(action, error);
    }
  };

  return {
    busy,
    launch: (action) => {
      const key = actionKey(action);
      if (busy.has(key) || isOver()) return false;
      const done = runAll(key, action).then(async (holdMs) => {
        if (holdMs > 0) await pause(holdMs, signal);
        busy.delete(key);
        running.delete(done);
        onEnded(action, { held: holdMs > 0 });
      });
      running.add(done);
      return true;
    },
    close: () => {
      closed = true;
    },
    underWay: () => [...running],
  };
}
