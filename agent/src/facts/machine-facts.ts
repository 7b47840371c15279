// What the machine is: what the kernel tells at once, and what takes programs that may hang. Those are asked by
// systeminformation in a process of its own, whose memory is gone when it has answered.
import { execFile } from 'node:child_process';
import { readFileSync, statfsSync } from 'node:fs';
import { arch, cpus, release, totalmem, uptime } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { MachineTime } from '@fleetset/scheduler-core/node/ready-since';
import { nodeAddress } from './node-address.ts';

export interface MachineFacts {
  readonly ip: string | undefined;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  /** Empty until it is known. */
  readonly osImage: string;
  readonly kernelVersion: string;
  readonly architecture: string;
  readonly operatingSystem: string;
  readonly machineId: string;
  readonly bootId: string;
  /** Empty until it is known. */
  readonly systemUuid: string;
}

const ARCHITECTURES: { readonly [name: string]: string } = { x64: 'amd64', arm64: 'arm64', arm: 'arm' };

export const knownAtOnce = (): MachineFacts => ({
  ip: nodeAddress(),
  cpus: cpus().length || 1,
  memoryBytes: totalmem(),
  diskBytes: rootBytes(),
  osImage: '',
  kernelVersion: release(),
  architecture: ARCHITECTURES[arch()] ?? arch(),
  operatingSystem: process.platform,
  machineId: firstLine('/etc/machine-id'),
  bootId: bootId(),
  systemUuid: '',
});

let bootIdKnown = '';
/** No process outlives a boot. */
const bootId = (): string => {
  bootIdKnown ||= firstLine('/proc/sys/kernel/random/boot_id');
  return bootIdKnown;
};

/** A clock that nobody can set. */
export const machineTime = (): MachineTime => ({ bootId: bootId(), upMs: uptime() * 1000 });

function firstLine(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

/** Of the root filesystem alone: a network filesystem that is gone would never answer. */
function rootBytes(): number {
  try {
    const { blocks, bsize } = statfsSync('/');
    return blocks * bsize;
  } catch {
    return 0;
  }
}

/** What was not answered in time is absent. */
export type AskedFacts = Partial<Pick<MachineFacts, 'osImage' | 'systemUuid'>>;

/** Nothing waits for it. */
const TIMEOUT_MS = 60_000;

/** `enough`: it is not waited for any longer. */
export async function askMachine(enough = AbortSignal.timeout(TIMEOUT_MS)): Promise<AskedFacts> {
  // Bundled, the process's code is a file beside this one.
  const file = import.meta.url.endsWith('.ts') ? './facts-process.ts' : './facts-process.js';
  const asking = promisify(execFile)(process.execPath, [fileURLToPath(new URL(file, import.meta.url))]);
  // Killed, not broken off: what it said before is read to its end.
  enough.addEventListener('abort', () => void asking.child.kill('SIGKILL'), { once: true });
  const { stdout } = await asking.catch((error: { readonly stdout?: string }) => ({
    stdout: error.stdout ?? '',
  }));
  const lines = stdout.split('\n').filter((line) => line !== '');
  return Object.assign({}, ...lines.map((line) => JSON.parse(line)));
}
