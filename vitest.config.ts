// Six projects: unit (no Docker, nothing beyond loopback), simulation (the whole fleet in one process), clients (a plane
// alone, real clients), docker (a real engine), machine (one machine: with systemd, with `fleetset up`), e2e (the whole
// fleet, real kubectl). hack/test runs the last one beside the others.
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['*/test/**/*.test.ts'],
          exclude: ['**/*.docker.test.ts', 'e2e/**', 'simulation/**'],
          globalSetup: ['hack/lib/own-temp-folder.ts'],
          // Vitest's own choice leaves one processor idle; most of these tests wait for a socket or a disk.
          maxWorkers: availableParallelism() + 1,
          // Only against a hang: a loaded machine is slow, and that is no failure. A wait that fails says so itself before.
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: 'simulation',
          sequence: { groupOrder: 1 },
          include: ['simulation/test/**/*.test.ts'],
          testTimeout: 180_000,
          // Seeds take all processors by themselves.
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'clients',
          sequence: { groupOrder: 2 },
          include: ['e2e/clients/**/*.test.ts'],
          // Each call of kubectl takes seconds on a loaded machine.
          testTimeout: 600_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'docker',
          sequence: { groupOrder: 3 },
          include: ['*/test/**/*.docker.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'machine',
          sequence: { groupOrder: 4 },
          include: ['e2e/machine/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'e2e',
          sequence: { groupOrder: 5 },
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
