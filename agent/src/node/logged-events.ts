// Each event is a line of the log too, with the pod and the DaemonSet it is about.
import type { Logger } from 'pino';
import type { PodBook } from '../state/pod-book.ts';
import type { AgentEvents } from './agent-events.ts';

export const loggedEvents = (events: AgentEvents, logger: Logger, pods: PodBook): AgentEvents => ({
  ...events,
  add: (event) => {
    events.add(event);
    const { reason, message, container, podUid = '' } = event;
    const record = pods.get(podUid)?.record;
    const fields = {
      event: reason,
      ...(record ? { namespace: record.namespace, pod: record.name, daemonSet: record.daemonSetName } : {}),
      ...(container ? { container } : {}),
    };
    if (event.type === 'Warning') logger.warn(fields, message);
    else logger.info(fields, message);
  },
});
