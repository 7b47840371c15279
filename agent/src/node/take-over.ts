// Pods that are another DaemonSet's from now on (rule 22). The book says whose a pod is; its containers' labels still
// name who made it. So what is told is asked at each look: also a book that was lost, or could not be written, comes
// right again.
import type { NodeDesired } from '@fleetset/proto/gen/fleetset/v1/node';
import type { Logger } from 'pino';
import type { PodBook } from '../state/pod-book.ts';

export function takeOver(pods: PodBook, { daemonSets }: NodeDesired, logger: Logger): void {
  for (const { uid, name, adopts } of daemonSets)
    for (const { record } of adopts.length > 0 ? pods.all() : []) {
      if (!adopts.includes(record.daemonSetUid)) continue;
      logger.info({ pod: record.name, daemonSet: name }, 'the pod is taken over');
      pods.setOwner(record.uid, { uid, name }).catch((error: unknown) => {
        logger.warn({ err: error, pod: record.uid }, 'whose the pod is now is not on disk');
      });
    }
}
