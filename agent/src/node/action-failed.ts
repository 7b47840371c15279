// A failed action on a container, in the words of Kubernetes.
import type { Trouble } from '@fleetset/scheduler-core/node/node-action';

export class ActionFailed extends Error {
  readonly trouble: Trouble;
  constructor(trouble: Trouble, cause?: unknown) {
    super(trouble.message, { cause });
    this.trouble = trouble;
  }
}
