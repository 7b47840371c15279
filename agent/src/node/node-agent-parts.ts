// What the loop of one node is made of, and what the rest of the agent asks it.
import type { NodeDesired } from '@fleetset/proto/gen/fleetset/v1/node';
import type { Allocatable } from '@fleetset/scheduler-core/node/field-ref';
import type { ContainerMemory } from '@fleetset/scheduler-core/node/node-action';
import type { NodeRoom } from '@fleetset/scheduler-core/node/pod-requests';
import type { MachineTime } from '@fleetset/scheduler-core/node/ready-since';
import type { Taint } from '@fleetset/scheduler-core/schema/scheduling';
import type { Logger } from 'pino';
import type { ContainerRuntime } from '../runtime/container-runtime.ts';
import type { BodyFiles } from '../state/body-files.ts';
import type { PodBook } from '../state/pod-book.ts';
import type { TerminationLogs } from '../state/termination-logs.ts';
import type { PodVolumes } from '../volumes/pod-volumes.ts';
import type { AgentEvents } from './agent-events.ts';
import type { FindTakenPorts } from './blocked-starts.ts';
import type { ContainerChecks } from './container-checks.ts';
import type { NodeView } from './node-view.ts';
import type { PodTokens } from './pod-tokens.ts';
import type { OnPass } from './timed-pass.ts';

export interface NodeAgentParts {
  readonly nodeName: string;
  readonly runtime: ContainerRuntime;
  readonly pods: PodBook;
  readonly bodies: BodyFiles;
  readonly volumes: PodVolumes;
  readonly tokens: PodTokens;
  readonly events: AgentEvents;
  /** What this node says of itself: automatic labels and its config file. */
  readonly ownLabels: () => { readonly [key: string]: string };
  readonly ownTaints: () => readonly Taint[];
  /** Why what runs here is not to be replaced now. */
  readonly held: () => string | undefined;
  /** The node's address: where pods on the host's network listen. */
  readonly nodeIp: () => string | undefined;
  /** As in PrepareParts. */
  readonly mappedRoot: () => number | undefined;
  /** What a pod without limits may use. */
  readonly allocatable: Allocatable;
  readonly machineMemoryBytes: number;
  /** What pods may have of the machine altogether. */
  readonly room: () => NodeRoom;
  readonly takenPorts: FindTakenPorts;
  /** Beyond the safe ones. */
  readonly allowedUnsafeSysctls?: readonly string[];
  readonly minOomScoreAdjust: number;
  readonly terminationLogs: TerminationLogs;
  readonly seccompDirectory: string;
  readonly monotonicNow: () => number;
  readonly machineTime: () => MachineTime;
  readonly logger: Logger;
  /** Something that a report shows may have changed. */
  readonly onChange: () => void;
  /** The loop went round once; not called while it hangs. */
  readonly onPass?: OnPass;
}

export interface NodeAgent {
  readonly setDesired: (desired: NodeDesired | undefined) => void;
  readonly wake: () => void;
  readonly view: () => NodeView;
  readonly memoryOf: (podUid: string, container: string) => ContainerMemory | undefined;
  readonly endedAt: (containerId: string) => number | undefined;
  readonly endedWithEngine: (containerId: string) => boolean;
  readonly healthOf: ContainerChecks['healthOf'];
  /** It has been asked how it is since this agent started, or need not be. */
  readonly isKnown: (containerId: string) => boolean;
  /** Its postStart hook has not ended: it is not yet shown as running. */
  readonly inHook: (containerId: string) => boolean;
  /** Of a container that has ended; undefined when it said nothing, or it is not known yet. */
  readonly lastWordsOf: (containerId: string) => string | undefined;
  /** Why the engine cannot be used now; undefined when it can. */
  readonly engineTrouble: () => string | undefined;
  /** How much is under way; 0 where nothing of it was begun a moment ago. */
  readonly busy: () => number;
  /** The first look is done and what ran before has been asked how it is; or the look failed. */
  readonly settled: () => boolean;
  /** The machine shuts down: every pod is stopped by its grace, none longer than the limit, and nothing is started any
   *  more. They are not deleted: after the boot they start again. */
  readonly shutDown: (limitMs: number) => Promise<void>;
  /** Stops looking; leaves every container as it is. */
  readonly stop: () => Promise<void>;
}
