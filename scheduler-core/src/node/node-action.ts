// The actions an agent can take, each with its reason, and what it remembers of those that failed.
import type { BackOff } from '../restart-back-off.ts';
import type { FailedPodBackOff, PodEnd } from './finished-pods.ts';
import { containerKey, type SeenContainer } from './pod-record.ts';

export type NodeAction =
  /** Make a pod of the DaemonSet's granted revision. */
  | { readonly kind: 'bear'; readonly daemonSetUid: string; readonly reason: string }
  /** See that the image is there, then create the container. */
  | CreateAction
  /** With its postStart hook. */
  | StartAction
  | StopAction
  | (OnContainer & { readonly kind: 'remove'; readonly id: string })
  /** The node does not take the pod: it has failed. */
  | { readonly kind: 'reject'; readonly podUid: string; readonly end: PodEnd; readonly reason: string }
  /** A pod that has ended is deleted, so that another can be made. */
  | DiscardAction
  /** Nothing is left of the pod. */
  | { readonly kind: 'forget'; readonly podUid: string; readonly reason: string };

export interface DiscardAction {
  readonly kind: 'discard';
  readonly podUid: string;
  readonly daemonSetUid: string;
  readonly end: PodEnd;
  /** What to remember of the DaemonSet from now on. */
  readonly backOff?: FailedPodBackOff;
  readonly reason: string;
}

export interface OnContainer {
  readonly podUid: string;
  /** Its name in the pod, or HOLDER. */
  readonly container: string;
  readonly reason: string;
}

export interface StartAction extends OnContainer {
  readonly kind: 'start';
  readonly id: string;
  /** It was made a moment ago, with all that it needs. */
  readonly isFresh?: boolean;
}

/** With its preStop hook, within the grace (rule 104). */
export interface StopAction extends OnContainer {
  readonly kind: 'stop';
  readonly id: string;
  readonly graceSeconds: number;
  /** It is asked to end when these have ended, or when the grace is over (rule 101). */
  readonly after?: readonly string[];
}

export interface CreateAction extends OnContainer {
  readonly kind: 'create';
  readonly attempt: number;
  /** Everything but the making: it is made later, and what would be wrong with it is to be known now. */
  readonly only?: 'check';
  /** Its image was pulled for this start, when it was checked. */
  readonly imageIsFresh?: boolean;
  /** What to remember from now on: this try counts for the next wait. */
  readonly backOff?: Pick<ContainerMemory, 'restart' | 'pull'>;
}

/** What an agent remembers of one container between looks. */
export interface ContainerMemory {
  /** The attempt that was decided on last. */
  readonly making?: number;
  readonly restart?: BackOff;
  readonly pull?: BackOff;
  /** Its creation was gone through, up to the making. */
  readonly checked?: boolean;
  /** The last action on it failed; gone with the next that succeeds. */
  readonly trouble?: Trouble;
}

export interface Trouble {
  /** `config`: only another state of the ConfigMaps and Secrets it names can help. */
  readonly kind: 'image' | 'create' | 'start' | 'hook' | 'config';
  /** As Kubernetes names it: ErrImagePull, CreateContainerError, RunContainerError ... */
  readonly reason: string;
  readonly message: string;
  readonly failedAt: number;
  /** The state of ConfigMaps and Secrets that did not do (see PlannedPod): with another it is tried at once. */
  readonly config?: string;
}

/** What failed has ended the container: it is restarted like any other that ends. */
export const isOfItsEnd = ({ kind }: Trouble, container: SeenContainer): boolean =>
  kind === 'hook' || (kind === 'start' && container.startFailed === true);

/** Two actions of one key are never under way together. */
export function actionKey(action: NodeAction): string {
  switch (action.kind) {
    case 'bear':
      return action.daemonSetUid;
    case 'forget':
    case 'reject':
    case 'discard':
      return action.podUid;
    case 'remove':
      return action.id;
    default:
      return containerKey(action.podUid, action.container);
  }
}
