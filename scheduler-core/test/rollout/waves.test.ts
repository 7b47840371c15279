// Which wave a node belongs to is told by sorting all of them; nodes at rest are put there without a look at each, and
// it comes to the same.
import type { Wave } from '@fleetset/scheduler-core/rollout/pacing';
import {
  keepNode,
  noNodes,
  type RolloutNodes,
  splitNodes,
} from '@fleetset/scheduler-core/rollout/resting-nodes';
import { effectiveRevision, isUp, type RolloutNode } from '@fleetset/scheduler-core/rollout/rollout-node';
import { assignWaves, sizeOfWave, waveFinder } from '@fleetset/scheduler-core/rollout/waves';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { holds, isCaught } from '../property.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];

const someNode = fc
  .record({
    granted: fc.constantFrom('old', 'older', 'new'),
    has: fc.constantFrom('old', 'older', 'new', undefined),
    available: fc.boolean(),
    canary: fc.boolean(),
    zone: fc.constantFrom('x', 'y'),
  })
  .map(
    ({ granted, has, available, canary, zone }) =>
      (name: string): RolloutNode => ({
        name,
        labels: { zone, ...(canary ? { canary: 'true' } : {}) },
        decision: 'Run',
        connected: true,
        lost: false,
        granted,
        ...(has === undefined ? {} : { pod: { revision: has, available, deleted: false } }),
      }),
  );

const someWave = fc
  .record({
    nodeSelector: fc.constantFrom({}, { canary: 'true' }, { zone: 'x', canary: 'true' }),
    nodes: fc.constantFrom<number | string | undefined>(undefined, 0, 1, 3, '30%', '100%'),
  })
  .map(
    ({ nodeSelector, nodes }): Wave => ({
      name: '',
      nodeSelector,
      soakMs: 0,
      manual: false,
      ...(nodes === undefined ? {} : { nodes }),
    }),
  );

const someInput = fc.record({
  nodes: fc.tuple(...NAMES.map(() => someNode)).map((made) => made.map((make, at) => make(NAMES[at] ?? ''))),
  waves: fc.array(someWave, { maxLength: 4 }),
  broken: fc.subarray(['b', 'e', 'h']),
});

/** One node after the other, each as it stands in one order of all. Who was broken takes no room. */
function bySorting(waves: readonly Wave[], nodes: readonly RolloutNode[], broken: readonly string[]) {
  const placeOf = (node: RolloutNode) => {
    const isDown = node.pod !== undefined && !isUp(node);
    const turn = effectiveRevision(node) === 'new' ? 0 : isDown ? 1 : 2;
    return `${turn}${node.name}`;
  };
  const sorted = [...nodes].sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
  const assigned: { [name: string]: number } = {};
  waves.forEach(({ nodes: most = '100%', nodeSelector }, number) => {
    let room = typeof most === 'number' ? most : Math.ceil((Number.parseInt(most, 10) / 100) * nodes.length);
    for (const { name, labels = {} } of sorted) {
      const takes = broken.includes(name) ? 0 : 1;
      const isSelected = Object.entries(nodeSelector).every(([key, value]) => labels[key] === value);
      if (room < takes || assigned[name] !== undefined || !isSelected) continue;
      assigned[name] = number;
      room -= takes;
    }
  });
  return Object.fromEntries(nodes.map(({ name }) => [name, assigned[name] ?? waves.length]));
}

function apart(nodes: readonly RolloutNode[]): RolloutNodes {
  const kept = noNodes();
  for (const node of nodes) keepNode(kept, node.name, node);
  return splitNodes(kept);
}

const isTheSame = (assign: typeof assignWaves) =>
  fc.property(someInput, ({ waves, nodes, broken }) => {
    fc.pre(waves.length > 0);
    const expected = bySorting(waves, nodes, broken);
    for (const fleet of [{ nodes }, apart(nodes), { nodes: [...nodes].reverse() }]) {
      const made = assign(waves, fleet, 'new', broken);
      expect(Object.fromEntries(nodes.map(({ name }) => [name, waveFinder(made)(name)]))).toEqual(expected);
      for (let wave = 0; wave <= waves.length; wave++)
        expect(sizeOfWave(made, wave)).toBe(Object.values(expected).filter((one) => one === wave).length);
    }
  });

test('nodes come to the waves that sorting all of them says', () => {
  holds(isTheSame(assignWaves), 3000);
});

test.each<[string, typeof assignWaves]>([
  ['who was broken', (waves, fleet, target) => assignWaves(waves, fleet, target)],
  ['what the target is', (waves, fleet, _target, broken) => assignWaves(waves, fleet, 'old', broken)],
  [
    'that a node is down',
    (waves, { nodes, ...fleet }, target, broken) => {
      const up = (node: RolloutNode) =>
        node.pod && node.granted
          ? { ...node, pod: { ...node.pod, available: true, revision: node.granted } }
          : node;
      return assignWaves(waves, { ...fleet, nodes: nodes.map(up) }, target, broken);
    },
  ],
  ['the nodes at rest', (waves, { nodes }, target, broken) => assignWaves(waves, { nodes }, target, broken)],
])('a mutant that overlooks %s is caught', (_what, mutant) => {
  isCaught(isTheSame(mutant), 3000);
});
