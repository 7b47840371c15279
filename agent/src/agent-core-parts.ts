// What an agent's core is made of, and what it answers.
import type { MachineTime } from '@fleetset/scheduler-core/node/ready-since';
import type { MaintenanceWindow } from '@fleetset/scheduler-core/schema/rollout-policy';
import type { Taint } from '@fleetset/scheduler-core/schema/scheduling';
import type { Logger } from 'pino';
import type { KeptFacts } from './facts/kept-facts.ts';
import type { MachineGauges } from './facts/machine-gauges.ts';
import type { PodDialer } from './forward/pod-dialer.ts';
import type { Holds, HoldsParts } from './holds/holds.ts';
import type { NodeAgent, NodeAgentParts } from './node/node-agent-parts.ts';
import type { NodeSettings } from './node-settings.ts';
import type { ContainerRuntime } from './runtime/container-runtime.ts';
import type { DesiredFile } from './state/desired-file.ts';
import type { Files } from './state/durable-file.ts';
import type { PodBook } from './state/pod-book.ts';
import type { TerminationLogs } from './state/termination-logs.ts';
import type { PlaneClient } from './sync/plane-client.ts';
import type { PodVolumes } from './volumes/pod-volumes.ts';

export interface AgentCoreParts {
  readonly nodeName: string;
  readonly dataDir: string;
  readonly files: Files;
  readonly runtime: ContainerRuntime;
  readonly facts: KeptFacts;
  readonly gauges: MachineGauges;
  readonly client: PlaneClient;
  readonly dialer: PodDialer;
  readonly volumes: PodVolumes;
  readonly terminationLogs: TerminationLogs;
  readonly takenPorts: NodeAgentParts['takenPorts'];
  readonly openHolds: (onChange: HoldsParts['onChange']) => Promise<Holds>;
  /** From the config file and flags: the node's own, which operators cannot change from the plane. */
  readonly labels: { readonly [key: string]: string };
  readonly taints: readonly Taint[];
  /** The machine's, by its IANA name. */
  readonly timeZone: string;
  readonly maintenanceWindows?: readonly MaintenanceWindow[];
  readonly settings: NodeSettings;
  readonly minOomScoreAdjust: number;
  /** Differs between two machines that were cloned from one disk. */
  readonly machineId: string;
  readonly machineTime: () => MachineTime;
  readonly version: string;
  readonly logger: Logger;
  /** The node loop went round: for a watchdog. */
  readonly onPass?: () => void;
}

export interface AgentCore {
  readonly node: NodeAgent;
  readonly pods: PodBook;
  readonly desired: DesiredFile;
  /** Undefined while it does not answer locally. */
  readonly localPort: () => number | undefined;
  /** The machine shuts down: stops the pods by their grace, and within the settings' limit. `stop` comes after it. */
  readonly shutDown: () => Promise<void>;
  /** Leaves every container running. */
  readonly stop: () => Promise<void>;
}
