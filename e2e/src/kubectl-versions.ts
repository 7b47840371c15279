// The kubectl binaries that this machine has.
import { run } from './run.ts';

/** Versions that the API is held to; one that is absent is skipped, and the test's name says so. */
export const WANTED = ['1.27', '1.29', '1.32', '1.33'] as const;

/** By minor version, as "1.29". */
export async function installedVersions(): Promise<ReadonlySet<string>> {
  const lines = (await run('hack/kubectl', ['--list'])).trim().split('\n');
  return new Set(lines.map((line) => line.split(/\s+/)[0]?.split('.').slice(0, 2).join('.') ?? ''));
}
