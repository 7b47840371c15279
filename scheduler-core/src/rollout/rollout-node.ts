// One node as a rollout sees it, and how it stands.
import type { PlacementDecision } from '../placement.ts';

export interface RolloutNode {
  readonly name: string;
  /** For waves and for budgets by a label. */
  readonly labels?: { readonly [label: string]: string };
  readonly decision: PlacementDecision;
  /** Its agent's stream is open and has reported, so that `pod` is what runs there. */
  readonly connected: boolean;
  /** Silent for longer than the grace period: nothing is known about it. */
  readonly lost: boolean;
  /** It was told something after its last report was made: `pod` may be on its way to something else. */
  readonly behind?: boolean;
  /** The revision it was granted last. */
  readonly granted?: string;
  /** That grant was made under a surge: the node carries it out as one. */
  readonly surging?: boolean;
  /** Why its pod cannot be expected to become available: it crashes again and again. */
  readonly failing?: string;
  /** Another pod that is not being stopped: under a surge the new one, beside the one that counts; or a successor that
   *  failed before it could take over. */
  readonly beside?: { readonly revision: string; readonly failing?: string };
  /** Somebody on the node asked that what runs there is left alone, with why: its agent will change nothing. */
  readonly held?: string;
  /** The pod that counts, from its last report. */
  readonly pod?: {
    readonly revision: string;
    readonly available: boolean;
    /** Somebody deleted it. */
    readonly deleted: boolean;
    /** The agent has not been able to look at it since it started: what it says is what it knew before. */
    readonly unknown?: boolean;
  };
}

/** Its agent leaves what runs there alone, whatever it is told. A pod that somebody deleted goes all the same. */
export const isHeld = ({ held, pod }: RolloutNode): boolean =>
  held !== undefined && pod !== undefined && !pod.deleted;

/** A plane that lost its grants goes by what runs. */
export const effectiveRevision = ({ granted, pod }: RolloutNode): string | undefined =>
  granted ?? pod?.revision;

/** Available, on the revision it was told to run. */
export const isUp = (node: RolloutNode): boolean =>
  !node.lost &&
  node.pod?.available === true &&
  !node.pod.deleted &&
  node.pod.revision === effectiveRevision(node);

/** Available, on another revision than it was told to run. */
export const isServing = (node: RolloutNode): boolean =>
  !node.lost &&
  node.pod?.available === true &&
  !node.pod.deleted &&
  node.pod.revision !== effectiveRevision(node);

/** A silent node that never got the target, or was silent before; one that got it and fell silent counts. */
export const isSetAside = (
  { name, lost, granted }: RolloutNode,
  { target, aside }: { readonly target: string; readonly aside?: ReadonlySet<string> },
): boolean => lost && (granted !== target || (aside?.has(name) ?? false));

/** It was granted another revision than that of the pod that counts. */
export const isInFlight = (node: RolloutNode): boolean =>
  node.pod !== undefined && effectiveRevision(node) !== node.pod.revision;
