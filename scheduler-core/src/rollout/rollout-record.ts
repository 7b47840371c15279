// What is known of one DaemonSet's rollout from one look to the next.
import type { Amendable } from '../amended-map.ts';

/** Survives the plane: verdicts, and what they rest on. */
export interface RolloutRecord {
  /** The revision of the DaemonSet's template that this is about. */
  readonly newest: string;
  /** The last revision that every node had available: where a rollback goes. */
  readonly stable?: string;
  readonly phase: RolloutPhase;
  /** Why it has failed, in a word and in a sentence; '' while it has not. */
  readonly reason: '' | 'ProgressDeadlineExceeded' | 'FailureThresholdExceeded';
  readonly message: string;
  /** On the way back to the stable revision: that no node came nearer for the progress deadline. It goes on all the same. */
  readonly late?: string;
  /** The wave that is under way; as many as there are waves: the rest. */
  readonly wave: number;
  /** Nodes that failed with the newest revision, with why. */
  readonly failures: { readonly [node: string]: string };
  /** Which of the DaemonSet's rollouts this is, from 1. */
  readonly attempt: number;
  /** What asked last for another try. */
  readonly retry?: string;
  /** Nodes that were silent before this began and have not been heard since: not its failures. In a rollback also those
   *  that fell silent with the stable revision. */
  readonly aside: readonly string[];
  /** Nodes that were broken before this began, whatever others had of it, and have not had it available since: they
   *  fail nothing, and nothing waits for them. */
  readonly broken?: readonly string[];
  /** In a rollback, nodes that were granted the newest revision: those that have to go back. */
  readonly goBack?: readonly string[];
}

/**
 * Progressing: nodes move to the newest revision. Complete: all have it. Stopped: it failed, nothing moves.
 * RollingBack: it failed, nodes move back to the stable one. RolledBack: all have that.
 */
export type RolloutPhase = 'Progressing' | 'Complete' | 'Stopped' | 'RollingBack' | 'RolledBack';

/** Times by the plane's own steady clock; a plane that starts counts anew. */
export interface RolloutTimes {
  /** What the times are about. */
  readonly target: string;
  /** When a node had the target available for the first time, or when there was nothing to wait for. */
  readonly progressAt: number;
  /** Some node was on its way, or could set out. */
  readonly moving: boolean;
  /** Nodes that were given the target and do not have it available, since when. */
  readonly grantedAt: Amendable<number>;
  /** Nodes that have the target available, since when. */
  readonly availableAt: Amendable<number>;
  /** Nodes that had it available at some time, and do not now. */
  readonly onceAvailable: ReadonlySet<string>;
  /** Nodes whose pod is not available, whatever its revision, since when. */
  readonly downSince: Amendable<number>;
}

/** What has not failed says. */
export const UNDECIDED = { reason: '', message: '' } as const;

/** What nodes should have now. */
export const targetOf = ({ phase, newest, stable }: RolloutRecord): string =>
  phase === 'RollingBack' || phase === 'RolledBack' ? (stable ?? newest) : newest;
