// What a process takes of the machine, as the kernel tells it.
import { readdirSync, readFileSync } from 'node:fs';

export interface Memory {
  /** MiB that are mapped now, those of the program's own file too, which processes share and the kernel may drop. */
  readonly resident: number;
  /** MiB that nobody else has and no file holds: what the process adds to a machine. */
  readonly private: number;
}

export function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const mebibytes = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(text)?.[1]) / 1024;
  return { resident: mebibytes('Rss'), private: mebibytes('Private_Dirty') };
}

/** Seconds of CPU that its threads have used so far, from the scheduler's nanoseconds. */
export function cpuSecondsOf(pid: number): number {
  const nanos = readdirSync(`/proc/${pid}/task`).map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
  );
  return nanos.reduce((sum, value) => sum + value, 0) / 1e9;
}

export const openFilesOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;
