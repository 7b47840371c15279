// Run as a process of its own, to be killed: the node loop on a Docker socket and on the files of a directory, with
// what these files say is to run here. No plane.

import { join } from 'node:path';
import { pino } from 'pino';
import { createAgentEvents } from '../src/node/agent-events.ts';
import { startNodeAgent } from '../src/node/node-agent.ts';
import { createDockerRuntime } from '../src/runtime/docker-runtime.ts';
import { openBodyFiles } from '../src/state/body-files.ts';
import { openDesiredFile } from '../src/state/desired-file.ts';
import { openPodBook } from '../src/state/pod-book.ts';
import { openTerminationLogs } from '../src/state/termination-logs.ts';
import { systemMounts } from '../src/volumes/mounts.ts';
import { openPodVolumes } from '../src/volumes/pod-volumes.ts';
import { NO_TOKENS } from './no-tokens.ts';

const [directory = '', socketPath = '', owner = ''] = process.argv.slice(2);
const fail = (error: unknown) => {
  throw error;
};
const bodies = await openBodyFiles(join(directory, 'bodies'));
const desired = await openDesiredFile(directory, fail);
const pods = await openPodBook(directory, fail);
const agent = startNodeAgent({
  nodeName: 'node',
  runtime: createDockerRuntime({ socketPath, owner }),
  pods,
  bodies,
  events: createAgentEvents(),
  ownLabels: () => ({}),
  ownTaints: () => [],
  held: () => undefined,
  nodeIp: () => '127.0.0.1',
  tokens: NO_TOKENS,
  mappedRoot: () => 0,
  volumes: openPodVolumes(join(directory, 'pods'), systemMounts),
  allocatable: { cpus: 2, memoryBytes: 2 ** 34, diskBytes: 0 },
  machineMemoryBytes: 2 ** 34,
  room: () => ({ cpuMilli: 2000, memoryBytes: 2 ** 34, pods: 110 }),
  takenPorts: async () => [],
  minOomScoreAdjust: 0,
  terminationLogs: openTerminationLogs(join(directory, 'termination-logs')),
  seccompDirectory: join(directory, 'seccomp'),
  monotonicNow: () => performance.now(),
  machineTime: () => ({ bootId: 'boot-1', upMs: performance.now() }),
  logger: pino({ enabled: false }),
  onChange: () => {},
});
agent.setDesired(desired.current());
