// What the machine is: asked of systeminformation in a thread of its own, whose memory is gone when it has answered.
import { Worker } from 'node:worker_threads';

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

export function readMachineFacts(): Promise<MachineFacts> {
  // Bundled, the thread's code is a file beside this one.
  const file = import.meta.url.endsWith('.ts') ? './facts-thread.ts' : './facts-thread.js';
  const thread = new Worker(new URL(file, import.meta.url), { stdout: false, stderr: false });
  return new Promise<MachineFacts>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error('the machine did not tell its facts in time')),
      TIMEOUT_MS,
    );
    thread.once('message', (facts: MachineFacts) => {
      clearTimeout(timer);
      resolve(facts);
    });
    thread.once('error', reject);
  }).finally(() => thread.terminate());
}
