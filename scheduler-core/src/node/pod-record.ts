// What an agent knows of its pods and containers: the input of planNode and podStatus.
import type { PlacementRules } from '../placement.ts';
import type { Container } from '../schema/container.ts';
import type { PodSpec, PodTemplateSpec } from '../schema/pod.ts';
import type { PodEnd } from './finished-pods.ts';

/** One DaemonSet as this node was told. */
export interface NodeDaemonSet {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly rules: PlacementRules;
  /** What this node may run; absent while nothing is granted. */
  /** A new pod runs beside the one it replaces, until it is available. */
  readonly surge?: boolean;
  readonly granted?: {
    readonly revision: string;
    readonly templateHash: string;
    /** The snapshot of ConfigMaps and Secrets that its pods have; absent: they follow what is told. */
    readonly config?: string;
    /** What a pod gets of its ServiceAccount when it is born; absent: nothing. */
    readonly account?: {
      readonly name: string;
      /** There is none of that name: no pod is born. */
      readonly missing: boolean;
      /** A volume with its token is added. */
      readonly mount: boolean;
      /** Secrets that its images are pulled with, where the template names none. */
      readonly pullSecrets: readonly string[];
    };
  };
}

/** A pod's identity, made once on this node and kept until the pod is gone. */
export interface PodRecord {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly daemonSetUid: string;
  readonly daemonSetName: string;
  readonly revision: string;
  readonly templateHash: string;
  /** RFC 3339, by the node's clock. Only its order among the pods of one DaemonSet matters. */
  readonly createdAt: string;
  /** The name of the volume that was added for its ServiceAccount when it was born. */
  readonly accountVolume?: string;
  /** The imagePullSecrets that it got of its ServiceAccount then. */
  readonly pullSecrets?: readonly string[];
}

/** The name of the container that only holds what a pod's containers share: it is what Kubernetes calls the sandbox. */
export const HOLDER = '';

export type SeenState = 'created' | 'running' | 'exited';

/** A container of ours, as the engine shows it now. */
export interface SeenContainer {
  readonly id: string;
  readonly podUid: string;
  /** The container's name in the pod, or HOLDER. */
  readonly name: string;
  /** 0 for the first; each restart makes a new container with the next number. */
  readonly attempt: number;
  readonly state: SeenState;
  /** Which attempt of the holder it belongs to; absent on the holder, and in pods without one. */
  readonly holderAttempt?: number;
  /** Of one that has ended; absent when the engine does not say. */
  readonly exitCode?: number;
  /** It has ended without having begun: what it was to run is not there, or cannot be run. */
  readonly startFailed?: boolean;
  /** Its startup probe has passed; as good as passed when it has none. */
  readonly started?: boolean;
  /** When the agent first saw it ended; milliseconds of the agent's monotonic clock. */
  readonly endedAt?: number;
  /** It ended while the engine was away: with that, as when the engine is restarted. */
  readonly withEngine?: boolean;
}

/** A pod with what planning needs to know of its template. */
export interface PlannedPod {
  readonly record: PodRecord;
  /** Absent while the agent lacks the template's body: then nothing is done to the pod but stopping it. */
  readonly template?: PodTemplateSpec;
  /** Its end was announced: it is stopped, whatever is wanted now. */
  readonly ending?: boolean;
  /** Absent while it is not known: this agent has not asked it yet since it started. */
  readonly health?: PodHealth;
  /** It has failed or succeeded. */
  readonly end?: PodEnd;
  /** Which ConfigMaps and Secrets it has now, with which content: equal texts, equal state. */
  readonly config?: string;
}

export interface PodHealth {
  readonly ready: boolean;
  /** When it has been ready for minReadySeconds; by the clock of planning. Absent while it is not ready. */
  readonly availableAt?: number;
}

/** An init container that goes on running beside the others (rule 101). */
export const isSidecar = ({ restartPolicy }: Container): boolean => restartPolicy === 'Always';

/** Init containers first, each list in its order. */
export const allContainers = ({ initContainers = [], containers }: PodSpec): readonly Container[] => [
  ...initContainers,
  ...containers,
];

/** Those that are to run as long as the pod does (rule 93): sidecars first. */
export const lastingContainers = (spec: PodSpec): readonly Container[] => [
  ...(spec.initContainers ?? []).filter(isSidecar),
  ...spec.containers,
];

export const isInitContainer = ({ initContainers = [] }: PodSpec, name: string): boolean =>
  initContainers.some((container) => container.name === name);

/** A network, an IPC or a PID namespace of its own that several share, or init containers that must run once in it. */
export function needsHolder({ spec }: PodTemplateSpec): boolean {
  if (!spec?.hostNetwork) return true;
  return (
    Boolean(spec.initContainers?.length) ||
    spec.shareProcessNamespace === true ||
    (spec.containers.length > 1 && !spec.hostIPC)
  );
}

/** The containers a pod consists of, the holder first. */
export function containerNames(template: PodTemplateSpec): readonly string[] {
  const names = template.spec ? allContainers(template.spec).map(({ name }) => name) : [];
  return needsHolder(template) ? [HOLDER, ...names] : names;
}

export const containerKey = (podUid: string, name: string): string => `${podUid}/${name}`;

/** The newest attempt of a container. */
export const latest = (name: string, seen: readonly SeenContainer[]): SeenContainer | undefined =>
  seen
    .filter((container) => container.name === name)
    .reduce<SeenContainer | undefined>(
      (best, container) => (!best || container.attempt > best.attempt ? container : best),
      undefined,
    );
