// What the machine is: asked of systeminformation in a process of its own, whose memory is gone when it has answered.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export interface MachineFacts {
  readonly ip: string | undefined;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly osImage: string;
  readonly kernelVersion: string;
  readonly architecture: string;
  readonly operatingSystem: string;
  readonly machineId: string;
  readonly bootId: string;
  readonly systemUuid: string;
}

const TIMEOUT_MS = 20_000;

export async function readMachineFacts(): Promise<MachineFacts> {
  // Bundled, the process's code is a file beside this one.
  const file = import.meta.url.endsWith('.ts') ? './facts-process.ts' : './facts-process.js';
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [fileURLToPath(new URL(file, import.meta.url))],
    {
      timeout: TIMEOUT_MS,
    },
  );
  return JSON.parse(stdout) as MachineFacts;
}
