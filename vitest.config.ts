// Three projects, one after the other: unit (no Docker, nothing beyond loopback), docker (a real engine), e2e (the whole
// fleet, real kubectl).
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      {
        test: { name: 'unit', include: ['*/test/**/*.test.ts'], exclude: ['**/*.docker.test.ts', 'e2e/**'] },
      },
      {
        test: {
          name: 'docker',
          sequence: { groupOrder: 1 },
          include: ['*/test/**/*.docker.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'e2e',
          sequence: { groupOrder: 2 },
          include: ['e2e/test/**/*.test.ts'],
          globalSetup: ['e2e/src/start-fleet.ts'],
          testTimeout: 300_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
