// Directories of a test file's own, removed when the file is over.
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

const made: string[] = [];

// Hooks of the end run in reverse: this one, as the first, after those by which the file stops what writes there.
afterAll(async () => {
  await Promise.all(
    made.map((directory) => rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 })),
  );
});

export function tempDir(name = 'plane'): string {
  const directory = mkdtempSync(join(tmpdir(), `fleetset-${name}-`));
  made.push(directory);
  return directory;
}
