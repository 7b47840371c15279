// What is asked of the last look at the node's containers.
import type { ExecuteParts } from './action-parts.ts';
import { type NodeView, newestHolder } from './node-view.ts';

type Answers = Pick<ExecuteParts, 'daemonSet' | 'pidOf' | 'holderOf' | 'nextHolderAttempt' | 'anyRuns'>;

export const askView = (view: () => NodeView): Answers => ({
  daemonSet: (uid) => view().desired.daemonSets.find((daemonSet) => daemonSet.uid === uid),
  pidOf: (id) => view().containers.find((container) => container.id === id)?.pid,
  holderOf: (podUid) => newestHolder(view().containers, podUid),
  nextHolderAttempt: (podUid) =>
    1 +
    Math.max(
      -1,
      ...view()
        .containers.filter(({ identity }) => identity.pod.uid === podUid)
        .map(({ identity }) => identity.holderAttempt ?? -1),
    ),
  anyRuns: (podUid, names) =>
    view().containers.some(
      ({ identity, state }) =>
        state === 'running' && identity.pod.uid === podUid && names.includes(identity.name),
    ),
});
