// Where one node stands in the rollout of one DaemonSet, in a word that people read.

export type NodeStanding =
  /** The revision that nodes should have now is available here. */
  | 'Updated'
  /** It was granted that revision, and does not have it available yet. */
  | 'Updating'
  /** It failed with that revision. */
  | 'Failed'
  /** It has another revision, and may not move yet. */
  | 'Waiting'
  /** Nothing is known of it. */
  | 'Silent';

export interface StandingInput {
  /** The revision that nodes should have now. */
  readonly target: string | undefined;
  readonly granted: string | undefined;
  readonly lost: boolean;
  /** With which revision the node failed, if it did. */
  readonly failedWith: string | undefined;
  readonly pods: readonly {
    readonly revision: string;
    readonly available: boolean;
    readonly terminating: boolean;
  }[];
}

export function nodeStanding({ target, granted, lost, failedWith, pods }: StandingInput): NodeStanding {
  if (lost) return 'Silent';
  const has = pods.some((pod) => pod.revision === target && pod.available && !pod.terminating);
  if (granted !== target) return 'Waiting';
  if (has) return 'Updated';
  return failedWith === target ? 'Failed' : 'Updating';
}
