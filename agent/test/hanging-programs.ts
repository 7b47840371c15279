// A machine on which some programs never answer, as `df` and `cat` do not over a network filesystem that is gone.
import { access, chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { tempDirectory } from './temp-directory.ts';
import { until } from './wait-until.ts';

/** Until the test is over they hang for whoever looks for them in the PATH. Answers what waits until one of them does. */
export async function letHang(...programs: readonly string[]): Promise<() => Promise<unknown>> {
  const directory = await tempDirectory();
  const begun = join(directory, 'begun');
  for (const program of programs) {
    const path = join(directory, program);
    await writeFile(path, `#!/bin/sh\necho > ${begun}\nexec sleep 40\n`);
    await chmod(path, 0o755);
  }
  const before = process.env.PATH;
  process.env.PATH = `${directory}:${before}`;
  onTestFinished(() => {
    process.env.PATH = before;
  });
  return () => until('a program hangs', () => access(begun).then(() => true));
}
