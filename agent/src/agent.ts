// The agent on its machine: identity, engine and connection, put together by hand around the core.

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MaintenanceWindow } from '@fleetset/scheduler-core/schema/rollout-policy';
import type { Taint } from '@fleetset/scheduler-core/schema/scheduling';
import type { Logger } from 'pino';
import { startAgentCore } from './agent-core.ts';
import { takenPorts } from './facts/host-ports.ts';
import { createFacts } from './facts/kept-facts.ts';
import { type MachineFacts, machineTime } from './facts/machine-facts.ts';
import { openGauges } from './facts/machine-gauges.ts';
import { createPodDialer } from './forward/pod-dialer.ts';
import { holdDirectory } from './holds/hold-file.ts';
import { openHolds } from './holds/holds.ts';
import { identityDirectory, ownerOf, readIdentity } from './identity/identity-files.ts';
import { DEFAULT_NODE_SETTINGS, type NodeSettings } from './node-settings.ts';
import { createDockerRuntime } from './runtime/docker-runtime.ts';
import { MACHINE_FILES } from './state/durable-file.ts';
import { settleToRead } from './state/settle-to-read.ts';
import { openTerminationLogs } from './state/termination-logs.ts';
import { createPlaneClient } from './sync/plane-client.ts';
import { systemMounts } from './volumes/mounts.ts';
import { openPodVolumes } from './volumes/pod-volumes.ts';

export interface AgentOptions {
  readonly dataDir: string;
  readonly dockerSocket: string;
  /** From the config file and flags: the node's own, which operators cannot change from the plane. */
  readonly labels: { readonly [key: string]: string };
  readonly taints: readonly Taint[];
  /** The machine's, by its IANA name; absent: UTC. */
  readonly timeZone?: string;
  /** From the config file: when this node may be changed, instead of what policies say. Already checked. */
  readonly maintenanceWindows?: readonly MaintenanceWindow[];
  /** Absent: the defaults. */
  readonly node?: NodeSettings;
  readonly version: string;
  readonly logger: Logger;
  /** The node loop went round: for a watchdog. */
  readonly onPass?: () => void;
}

export interface Agent {
  readonly nodeName: string;
  /** Undefined while it does not answer locally. */
  readonly localPort: () => number | undefined;
  /** Lets the node loop go round soon. */
  readonly wake: () => void;
  /** The machine shuts down: stops the pods by their grace, and within the settings' limit. `stop` comes after it. */
  readonly shutDown: () => Promise<void>;
  /** Leaves every container running. */
  readonly stop: () => Promise<void>;
}

/** The agent cannot be started as it is; the message says what to do. */
export class AgentNotReady extends Error {}

export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { dataDir, logger, version, node: settings = DEFAULT_NODE_SETTINGS } = options;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  await settleToRead(identityDirectory(dataDir), logger);
  const identity = await readIdentity(dataDir);
  if (!identity)
    throw new AgentNotReady(
      `this machine has not joined a fleet: there is no identity in ${dataDir}. Run the line that 'fleetset token create --print-join-command' prints on the plane`,
    );
  const { nodeName } = identity;
  const facts = createFacts();
  const core = await startAgentCore({
    nodeName,
    dataDir,
    files: MACHINE_FILES,
    runtime: createDockerRuntime({
      socketPath: options.dockerSocket,
      owner: ownerOf(identity),
      logs: settings.logs,
    }),
    facts,
    gauges: openGauges(),
    client: createPlaneClient(identity),
    dialer: createPodDialer(),
    openHolds: (onChange) =>
      openHolds({
        directory: holdDirectory(dataDir),
        machineTime,
        wallNow: () => Date.now(),
        onChange,
        onProblem: (problem) => logger.warn(problem),
      }),
    volumes: openPodVolumes(join(dataDir, 'pods'), systemMounts),
    terminationLogs: openTerminationLogs(join(dataDir, 'termination-logs')),
    takenPorts,
    labels: options.labels,
    taints: options.taints,
    timeZone: options.timeZone ?? 'UTC',
    ...(options.maintenanceWindows ? { maintenanceWindows: options.maintenanceWindows } : {}),
    settings,
    minOomScoreAdjust: lowestOomScore(),
    machineId: machineKey(identity.certificate, dataDir, facts.now()),
    machineTime,
    version,
    logger,
    ...(options.onPass ? { onPass: options.onPass } : {}),
  });
  return {
    nodeName,
    localPort: core.localPort,
    wake: core.node.wake,
    shutDown: core.shutDown,
    stop: core.stop,
  };
}

/** Differs between two machines that were cloned from one disk: they cannot share a boot. */
const machineKey = (certificate: string, dataDir: string, { bootId, machineId }: MachineFacts): string =>
  createHash('sha256').update(`${certificate}\n${dataDir}\n${machineId}\n${bootId}`).digest('hex');

const CAP_SYS_RESOURCE = 24n;

/** Lowering a score needs a capability that an agent in a container may lack, and then its engine lacks it too. */
function lowestOomScore(): number {
  try {
    const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
    return (BigInt(`0x${effective}`) >> CAP_SYS_RESOURCE) & 1n ? -1000 : 0;
  } catch {
    return -1000;
  }
}
