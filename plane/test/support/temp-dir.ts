// A directory of a test's own, removed when the test (or its file) is over.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const made: string[] = [];
process.on('exit', () => {
  for (const directory of made) rmSync(directory, { recursive: true, force: true });
});

export function tempDir(name = 'plane'): string {
  const directory = mkdtempSync(join(tmpdir(), `fleetset-${name}-`));
  made.push(directory);
  return directory;
}
