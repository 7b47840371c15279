// Stops every pod when the machine shuts down: all at once, each by its pod's grace, sidecars after the containers
// they serve, the networks last.
import { endBefore } from '@fleetset/scheduler-core/node/plan-stop';
import { HOLDER } from '@fleetset/scheduler-core/node/pod-record';
import { DEFAULT_GRACE_SECONDS } from '@fleetset/scheduler-core/node/stop-grace';
import { pause } from '../pause.ts';
import type { RuntimeContainer } from '../runtime/container-runtime.ts';
import type { PodBook } from '../state/pod-book.ts';
import type { ExecuteParts } from './action-parts.ts';
import { executeAction } from './execute-action.ts';

/** What is being started just now is waited for: it has to be stopped too. */
const UNDER_WAY_MS = 5000;

/** `underWay`: what the node does at the moment. */
export async function stopAllPods(
  parts: ExecuteParts,
  pods: PodBook,
  underWay: readonly Promise<void>[],
  limitMs: number,
): Promise<void> {
  await within(UNDER_WAY_MS, Promise.all(underWay));
  const running = (await parts.runtime.list()).filter(({ state }) => state === 'running');
  const stop = async (container: RuntimeContainer) => {
    const { id, identity } = container;
    const spec = parts.templateOf(pods.get(identity.pod.uid)?.record ?? identity.pod)?.spec;
    const own = spec?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
    const graceSeconds = identity.name === HOLDER ? 0 : Math.min(own, Math.floor(limitMs / 1000));
    const reason = 'the machine is shutting down';
    await executeAction(parts, {
      kind: 'stop',
      podUid: identity.pod.uid,
      container: identity.name,
      id,
      graceSeconds,
      reason,
      after: spec ? endBefore(spec, identity.name) : [],
    }).catch(() => {
      // Told as an event; the machine's end is the container's end too.
    });
  };
  const isHolder = ({ identity }: RuntimeContainer) => identity.name === HOLDER;
  await Promise.all(running.filter((container) => !isHolder(container)).map(stop));
  await Promise.all(running.filter(isHolder).map(stop));
}

async function within(limitMs: number, work: Promise<unknown>): Promise<void> {
  const over = new AbortController();
  await Promise.race([work, pause(limitMs, over.signal)]);
  over.abort();
}
