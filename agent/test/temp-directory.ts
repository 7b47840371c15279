// A directory of a test's own, gone when the test is over.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

export async function tempDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'fleetset-agent-test-'));
  // Tried again when something is still being written there.
  onTestFinished(() => rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 }));
  return directory;
}
