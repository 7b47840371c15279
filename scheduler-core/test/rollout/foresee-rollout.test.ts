// Proves the order that is shown before a rollout begins, and that it is the order in which a rollout then goes.
import { foreseeRollout, type Moment } from '@fleetset/scheduler-core/rollout/foresee-rollout';
import { pacingOf } from '@fleetset/scheduler-core/rollout/pacing';
import type { RolloutNode } from '@fleetset/scheduler-core/rollout/rollout-node';
import type { RolloutPolicySpec } from '@fleetset/scheduler-core/schema/rollout-policy';
import { describe, expect, test } from 'vitest';
import { tellStory } from './rollout-story.ts';

/** "a" = up on revision old; words after it change that; "zone=x" is a label. */
function fleet(text: string): RolloutNode[] {
  return text.split(', ').map((part) => {
    const [name = '', ...words] = part.split(' ');
    let node: RolloutNode = {
      name,
      labels: {},
      decision: 'Run',
      connected: true,
      lost: false,
      granted: 'old',
      pod: { revision: 'old', available: true, deleted: false },
    };
    for (const word of words) node = { ...node, ...meaning(word, node) };
    return node;
  });
}

function meaning(word: string, node: RolloutNode): Partial<RolloutNode> {
  const [key = '', value] = word.split('=');
  if (value !== undefined) return { labels: { ...node.labels, [key]: value } };
  const pod = { revision: 'old', available: false, deleted: false };
  if (word === 'new') return { granted: 'new', pod: { ...pod, revision: 'new', available: true } };
  if (word === 'starting') return { granted: 'new', pod };
  if (word === 'down') return { pod };
  if (word === 'crashing') return { pod, failing: 'it crashes' };
  if (word === 'held') return { held: 'held by ann' };
  if (word === 'lost') return { lost: true, connected: false };
  if (word === 'Leave' || word === 'Keep') return { decision: word };
  throw new Error(`what is ${word}?`);
}

function withoutPods(nodes: readonly RolloutNode[]): RolloutNode[] {
  return nodes.map(({ pod: _pod, granted: _granted, ...rest }) => rest);
}

const say = (moment: Moment): string => {
  if (moment.is === 'step')
    return `step ${moment.name} of ${moment.size}${moment.budget ? ` by ${moment.budget}` : ''}`;
  if (moment.is === 'approval') return 'approval';
  if (moment.is === 'soak') return `soak ${moment.ms / 1000}`;
  if (moment.is === 'opening') return `opening ${moment.waits.map(({ node }) => node).join('+')}`;
  return moment.grants.map(({ node }) => node).join('+');
};

const foresee = (
  nodes: readonly RolloutNode[],
  policy: RolloutPolicySpec = {},
  maxUnavailable = 1,
  maxSurge = 0,
) => {
  const { moments, left } = foreseeRollout({
    before: {
      newest: 'old',
      stable: 'old',
      phase: 'Complete',
      reason: '',
      message: '',
      wave: 0,
      failures: {},
      attempt: 1,
      aside: [],
    },
    newest: 'new',
    strategy: { type: 'RollingUpdate', maxUnavailable, maxSurge },
    pacing: pacingOf('a policy', policy),
    closed: new Map(
      nodes.filter(({ labels }) => labels?.window).map(({ name }) => [name, 'its window opens at 2']),
    ),
    nodes,
  });
  return [...moments.map(say), ...left.map(({ node, reason }) => `${node}: ${reason}`)];
};

const ZONES = { topologyBudgets: [{ topologyKey: 'zone', maxUnavailable: 1 }] };

describe('foreseen', () => {
  test.each<[string, string, RolloutPolicySpec, number, readonly string[]]>([
    ['node by node, by name', 'b, a, c', {}, 1, ['a', 'b', 'c']],
    ['as many at once as may be down', 'a, b, c, d, e', {}, 2, ['a+b', 'c+d', 'e']],
    [
      'those that may not be touched now when they may be, and what is held back by them after them',
      'a, b window=closed, c held, d zone=last',
      { steps: [{ nodes: 3 }] },
      1,
      ['step step 1 of 3', 'a', 'opening b+c', 'b', 'c', 'step the rest of 1', 'd'],
    ],
    ['nodes that are down first', 'a, b, c down', {}, 1, ['c', 'a', 'b']],
    ['nodes that have it are not named', 'a new, b', {}, 1, ['b']],
    ['nor those that are on their way to it', 'a starting, b', {}, 1, ['b']],
    ['nodes where none belongs are not named', 'a Leave, b Keep, c', {}, 1, ['c']],
    [
      'silent nodes are set aside, and block nothing',
      'a lost, b, c',
      {},
      1,
      ['b', 'c', 'a: the node is silent: set aside until it returns'],
    ],
    [
      'steps, each as its policy says',
      'a, b, c, d site=lab, e site=lab, f site=lab',
      {
        steps: [
          { name: 'canary', nodes: 1, soakSeconds: 300 },
          { name: 'lab', nodeSelector: { site: 'lab' }, maxUnavailable: '50%' },
        ],
        soakSeconds: 60,
      },
      1,
      [
        ...['step canary of 1', 'a', 'soak 300'],
        ...['step lab of 3 by 2', 'd+e', 'f', 'soak 60'],
        ...['step the rest of 2', 'b', 'c', 'soak 60'],
      ],
    ],
    [
      'a soak time longer than the deadline is only waited for',
      'a, b',
      { progressDeadlineSeconds: 60, steps: [{ nodes: 1, soakSeconds: 3600 }] },
      1,
      ['step step 1 of 1', 'a', 'soak 3600', 'step the rest of 1', 'b'],
    ],
    [
      'an approval before the step it is for',
      'a, b',
      {
        steps: [
          { name: 'one', nodes: 1 },
          { name: 'two', approval: 'Manual' },
        ],
      },
      1,
      ['step one of 1', 'a', 'step two of 1', 'approval', 'b', 'step the rest of 0'],
    ],
    [
      'what crashed before goes with the canary, and is none',
      'a, b, c crashing',
      { steps: [{ name: 'one', nodes: 1, approval: 'Manual' }] },
      2,
      ['step one of 2', 'approval', 'c+a', 'step the rest of 2', 'b'],
    ],
    [
      'a step without nodes passes at once',
      'a',
      { steps: [{ name: 'lab', nodeSelector: { site: 'lab' }, soakSeconds: 900 }] },
      1,
      ['step lab of 0', 'step the rest of 1', 'a'],
    ],
    ['never two of a zone', 'a zone=x, b zone=x, c zone=y', ZONES, 2, ['a+c', 'b']],
    [
      'a partition keeps the last',
      'a, b, c',
      { partition: 1 },
      1,
      ['a', 'b', 'c: kept back: partition 1 of a policy'],
    ],
    [
      'nothing while it is paused',
      'a, b',
      { paused: true },
      1,
      ['a: the rollout is paused by a policy', 'b: the rollout is paused by a policy'],
    ],
  ])('%s', (_what, text, policy, maxUnavailable, expected) =>
    expect(foresee(fleet(text), policy, maxUnavailable)).toEqual(expected),
  );

  test('under a surge as many at once as it allows, and a step has its own', () => {
    expect(foresee(fleet('a, b, c'), {}, 0, 2)).toEqual(['a+b', 'c']);
    const steps = [
      { name: 'canary', nodes: 1 },
      { name: 'rest', maxUnavailable: 3 },
    ];
    expect(foresee(fleet('a, b, c, d'), { steps }, 0, 1)).toEqual([
      ...['step canary of 1', 'a', 'step rest of 3 by 3', 'b+c+d', 'step the rest of 0'],
    ]);
  });

  test('a first revision comes to all nodes at once, whatever the steps', () => {
    const { moments } = foreseeRollout({
      newest: 'new',
      strategy: { type: 'RollingUpdate', maxUnavailable: 1 },
      pacing: pacingOf('a policy', { steps: [{ nodes: 1 }] }),
      closed: new Map(),
      nodes: withoutPods(fleet('a, b, c')),
    });
    expect(moments.filter(({ is }) => is === 'update').map(say)).toEqual(['a+b+c']);
  });

  test('under OnDelete only nodes without a pod, or whose pod was deleted', () => {
    const { moments, left } = foreseeRollout({
      newest: 'new',
      strategy: { type: 'OnDelete', maxUnavailable: 1 },
      pacing: pacingOf('a policy', { steps: [{ nodes: 1, soakSeconds: 60 }] }),
      closed: new Map(),
      nodes: [...fleet('a, b'), ...withoutPods(fleet('c'))],
    });
    expect(moments.map(say)).toEqual(['c']);
    expect(left.map(({ node }) => node)).toEqual(['a', 'b']);
  });

  test('as it then goes', () => {
    const nodes = ['a', 'b', 'c', 'd', 'e'];
    const policy: RolloutPolicySpec = { steps: [{ nodes: 2, soakSeconds: 30 }], ...ZONES };
    const labels = Object.fromEntries(nodes.map((name, index) => [name, { zone: `z${index % 2}` }]));
    const story = tellStory({ nodes, labels, policy, maxUnavailable: 2 });
    story.update('new');
    const seen: string[] = [];
    for (let second = 0; second < 120; second++) {
      const on = story.revisionsOf();
      const moved = nodes.filter(
        (name, index) => on[index] === 'new' && !seen.join('+').split('+').includes(name),
      );
      if (moved.length > 0) seen.push(moved.join('+'));
      story.wait(1);
    }
    const order = foresee(
      fleet(nodes.map((name) => `${name} zone=${labels[name]?.zone}`).join(', ')),
      policy,
      2,
    ).filter((line) => nodes.includes(line[0] ?? '') && !line.includes(' '));
    expect(order).toEqual(seen);
    expect(order).toEqual(['a+b', 'c+d', 'e']);
  });
});
