// A program of the machine, run to its end.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Answers what it wrote; throws when it fails. */
export const run = async (program: string, ...args: readonly string[]): Promise<string> =>
  (await promisify(execFile)(program, args)).stdout;
