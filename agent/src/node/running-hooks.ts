// The postStart hooks that are under way. Until its hook has ended a container is neither shown as running nor probed
// (rule 103); the end of its pod breaks it off.

export interface RunningHooks {
  readonly has: (containerId: string) => boolean;
  readonly run: (
    containerId: string,
    podUid: string,
    hook: (signal: AbortSignal) => Promise<void>,
  ) => Promise<void>;
  /** The pod is being stopped. */
  readonly breakOff: (podUid: string) => void;
}

export function createRunningHooks(): RunningHooks {
  const running = new Map<string, { readonly podUid: string; readonly stop: AbortController }>();
  return {
    has: (containerId) => running.has(containerId),
    run: async (containerId, podUid, hook) => {
      const stop = new AbortController();
      running.set(containerId, { podUid, stop });
      try {
        await hook(stop.signal);
      } finally {
        running.delete(containerId);
      }
    },
    breakOff: (podUid) => {
      for (const hook of running.values())
        if (hook.podUid === podUid) hook.stop.abort(new Error('the pod is being stopped'));
    },
  };
}
