// What an agent remembers of each container from what came of its actions, and what it tells people of those that failed.
import type { ContainerMemory, NodeAction, Trouble } from '@fleetset/scheduler-core/node/node-action';
import { containerKey } from '@fleetset/scheduler-core/node/pod-record';
import type { Logger } from 'pino';
import { ActionFailed } from './action-failed.ts';
import { troubleEvent } from './action-parts.ts';
import type { AgentEvents, NewEvent } from './agent-events.ts';

export interface ActionOutcomes {
  /** By containerKey. */
  readonly memory: ReadonlyMap<string, ContainerMemory>;
  readonly begun: (action: NodeAction) => void;
  readonly succeeded: (action: NodeAction) => void;
  /** False for a failure that is not a container's own. */
  readonly failed: (action: NodeAction, error: unknown) => boolean;
  /** What failed on it while it was going is tried again at once. */
  readonly engineIsBack: () => void;
  readonly keepOnly: (podUids: ReadonlySet<string>) => void;
}

/** `about`: which container an event is about. */
export function createActionOutcomes(
  events: AgentEvents,
  logger: Logger,
  about: (podUid: string, container: string) => Pick<NewEvent, 'podUid' | 'container' | 'init'>,
): ActionOutcomes {
  const memory = new Map<string, ContainerMemory>();
  return {
    memory,
    begun: (action) => {
      if (action.kind !== 'create' || !action.backOff) return;
      const key = containerKey(action.podUid, action.container);
      memory.set(key, { ...memory.get(key), ...action.backOff, making: action.attempt });
    },
    succeeded: (action) => {
      if (action.kind !== 'create' && action.kind !== 'start') return;
      const key = containerKey(action.podUid, action.container);
      const { trouble: _over, ...rest } = memory.get(key) ?? {};
      const checked = action.kind === 'create' && action.only === 'check';
      memory.set(key, { ...rest, ...(checked ? { checked } : {}) });
    },
    failed: (action, error) => {
      if (!(error instanceof ActionFailed) || !('container' in action)) return false;
      const { podUid, container } = action;
      const key = containerKey(podUid, container);
      memory.set(key, { ...memory.get(key), trouble: error.trouble });
      const { reason, message } = error.trouble;
      // What is told as an event is in the log already.
      logger.debug({ pod: podUid, container, reason }, message);
      if (isNews(error.trouble)) events.add(troubleEvent(action, error.trouble, about(podUid, container)));
      return true;
    },
    engineIsBack: () => {
      for (const [key, { trouble, ...rest }] of memory)
        if (trouble?.kind === 'create' || trouble?.kind === 'start') memory.set(key, rest);
    },
    keepOnly: (podUids) => {
      for (const key of memory.keys()) if (!podUids.has(key.slice(0, key.indexOf('/')))) memory.delete(key);
    },
  };
}

/** Of images and hooks it was told already, and what is only under way is none. */
const isNews = ({ kind, reason }: Trouble): boolean =>
  kind !== 'image' && kind !== 'hook' && reason !== 'ContainerCreating';
