// What an agent goes by before it has asked: whether a container is the one that was ready, and has run on since.
import { expect, it } from 'vitest';
import { wasReady } from '../../src/node/pod-health.ts';

const ID = 'a'.repeat(64);
const seen = (containers: string, bootId = 'boot-1') => ({
  conditions: [],
  ready: { bootId, sinceMs: 100_000, containers },
});
const both = `${'a'.repeat(12)} ${'b'.repeat(12)}`;

it.each<[string, Parameters<typeof wasReady>[0], number, boolean]>([
  ['it ran when its pod became ready', seen(both), 500_000, true],
  ['it became ready as soon as it ran', seen(both), 400_000, true],
  ['somebody has started it anew since', seen(both), 300_000, false],
  ['another one was ready', seen('b'.repeat(12)), 500_000, false],
  ['the machine has started anew since', seen(both, 'boot-0'), 500_000, false],
  ['its pod was not ready', { conditions: [] }, 500_000, false],
  ['nothing is known of its pod', undefined, 500_000, false],
])('%s', (_what, known, ranForMs, expected) => {
  expect(wasReady(known, { id: ID, ranForMs }, { bootId: 'boot-1', upMs: 500_000 })).toBe(expected);
});
