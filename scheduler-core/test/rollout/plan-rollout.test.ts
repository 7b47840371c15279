// Proves which nodes are granted the newest revision now, and what the others are told (rules 31 to 40, and the two
// departures: nodes silent before an update are set aside, nodes in flight count as down).
import { planRollout, type RolloutInput } from '@fleetset/scheduler-core/rollout/plan-rollout';
import { describe, expect, test } from 'vitest';
import { fleet, grantedIn } from './nodes-in-words.ts';

const plan = (
  text: string,
  maxUnavailable: number | string = 1,
  type: RolloutInput['strategy']['type'] = 'RollingUpdate',
) => planRollout({ strategy: { type, maxUnavailable }, target: 'new', nodes: fleet(text) });
const granted = (...args: Parameters<typeof plan>) => grantedIn(plan(...args));

describe('a rolling update grants', () => {
  test.each<[string, string, number | string, string]>([
    ['nothing when all is new', 'a new, b new', 1, ''],
    ['one node of many', 'a old, b old, c old', 1, 'a'],
    ['as many as the budget allows', 'a old, b old, c old', 2, 'a b'],
    ['no more than there are', 'a old, b old', 10, 'a b'],
    [
      'rule 31: a percentage of the desired nodes, rounded up',
      'a old, b old, c old, d old, e old',
      '30%',
      'a b',
    ],
    ['rule 32: one, where the budget is nothing', 'a old, b old', 0, 'a'],
    ['rule 32: one, where the percentage is nothing', 'a old, b old', '0%', 'a'],
    [
      'rule 31: of the desired nodes, not of those that keep a pod',
      'a old, b old, c old Keep, d old Leave',
      '50%',
      'a',
    ],
    ['no second node before the first has come up', 'a new down, b old', 1, ''],
    ['nor while the first is still on the way', 'a old granted:new, b old', 1, ''],
    ['nor while the first has no pod', 'a granted:new, b old', 1, ''],
    ['the next when the first is up', 'a new, b old, c old', 1, 'b'],
    ['rule 34: every pod that is down, at no cost', 'a old down, b old down, c old down, d old', 1, 'a b c'],
    ['rule 34: and these use up the budget', 'a old down, b old, c old', 1, 'a'],
    ['rule 34: up nodes only with what is left', 'a old, b old down, c old', 2, 'b a'],
    ['rule 35: a node without a pod is down, and gets one at once', 'a, b old', 1, 'a'],
    ['rule 36: a pod that is being deleted is down', 'a old deleted, b old', 1, 'a'],
    ['rule 39: nothing more on a bad revision', 'a new down, b new down, c old', 2, ''],
    [
      'rule 40: stuck nodes first when the next comes; healthy ones stay',
      'a old, b bad down, c bad down',
      2,
      'b c',
    ],
    ['rule 40: also those that could not pull the bad one', 'a old, b old granted:bad, c old', 1, 'b'],
    ['a new node its pod, whatever goes on', 'a old granted:new, b', 1, 'b'],
    ['by name within a class, in no other order', 'c old, a old, b old', 2, 'a b'],
  ])('%s', (_sentence, nodes, maxUnavailable, expected) => {
    expect(granted(nodes, maxUnavailable)).toBe(expected);
  });
});

describe('nodes that are not heard', () => {
  test.each([
    ['silent before the update: set aside, the others go on', 'a old lost, b old, c old', 'b'],
    ['silent before the update, several', 'a old lost, b old down lost, c lost, d old', 'd'],
    ['silent after it got the revision: it counts as killed by it', 'a old granted:new lost, b old', ''],
    ['silent after it came up on it: it counts as well', 'a new lost, b old', ''],
    ['silent on an older bad one: set aside', 'a old granted:bad lost, b old', 'b'],
    ['not connected: never granted, though it was up', 'a old off, b old', 'b'],
    ['not connected and not known to be up: it counts', 'a off, b old', ''],
    ['not connected and down: it counts, and is not granted', 'a old down off, b old', ''],
    ['has not answered yet: it counts, and waits', 'a old behind, b old', ''],
    ['has not answered yet and is down anyway: it may have it', 'a old down behind, b old', 'a'],
    ['told otherwise before it moved: not up until it says so', 'a old behind granted:old, b old', ''],
    ['has not answered, but on the newest: it counts', 'a new behind, b old', ''],
  ])('%s', (_sentence, nodes, expected) => {
    expect(granted(nodes)).toBe(expected);
  });
});

describe('nodes that may only keep their pod, or must not have one', () => {
  test('are never granted (a departure from rule 37: the pod would not come back)', () => {
    expect(granted('a old Keep, b old Leave, c old')).toBe('c');
    expect(plan('a old Keep, b old Leave').waits).toEqual([]);
  });
  test('spend no budget', () => {
    expect(plan('a old down Keep, b old down Leave, c old')).toMatchObject({ unavailable: 0 });
  });
});

describe('rule 47: OnDelete', () => {
  const onDelete = (text: string) => granted(text, 1, 'OnDelete');
  test.each([
    ['never replaces', 'a old, b old', ''],
    ['not even what is down', 'a old down, b old granted:bad', ''],
    ['gives a node whose pod was deleted the newest', 'a old deleted, b old', 'a'],
    ['any number of them', 'a old deleted, b old deleted', 'a b'],
    ['and a node without a pod', 'a, b old', 'a'],
    ['but not a silent one', 'a old deleted lost, b lost', ''],
  ])('%s', (_sentence, nodes, expected) => {
    expect(onDelete(nodes)).toBe(expected);
  });
});

test('a plane that lost its grants goes by what runs', () => {
  const nodes = fleet('a old, b new').map(({ granted: _lost, ...node }) => node);
  const made = planRollout({ strategy: { type: 'RollingUpdate', maxUnavailable: 1 }, target: 'new', nodes });
  expect(made.grants.map(({ node }) => node)).toEqual(['a']);
  expect(made.unavailable).toBe(0);
});

describe('every node that is not on the newest is granted or told why not', () => {
  test('with the reason and the count', () => {
    const made = plan(
      'a old granted:new, b old, c old off, d old lost, e, f old down, g new, h old behind',
      2,
    );
    expect({
      grants: made.grants,
      waits: made.waits,
      numbers: [made.maxUnavailable, made.unavailable],
    }).toEqual({
      grants: [
        { node: 'e', revision: 'new', reason: 'the node runs no pod now' },
        { node: 'f', revision: 'new', reason: 'its pod is not available: nothing to lose' },
      ],
      waits: [
        { node: 'd', reason: 'the node is silent: set aside until it returns', silent: true },
        { node: 'b', reason: 'waits for its turn: 4 of at most 2 nodes are unavailable (a, ...)' },
        { node: 'c', reason: 'the agent is not connected' },
        { node: 'h', reason: 'the agent has not yet answered to what it was told last' },
      ],
      numbers: [2, 4],
    });
  });
  test('the newest is granted within the budget, and says so', () => {
    expect(plan('a old, b old', 1)).toEqual({
      grants: [{ node: 'a', revision: 'new', reason: 'within maxUnavailable 1' }],
      waits: [{ node: 'b', reason: 'waits for its turn: 1 of at most 1 nodes are unavailable (a)' }],
      maxUnavailable: 1,
      unavailable: 0,
    });
  });
  test('OnDelete says what it waits for', () => {
    expect(plan('a old', 1, 'OnDelete').waits).toEqual([
      { node: 'a', reason: 'updateStrategy OnDelete: waits until its pod is deleted' },
    ]);
  });
  test('no nodes, no plan', () => {
    expect(plan('', '50%')).toEqual({ grants: [], waits: [], maxUnavailable: 0, unavailable: 0 });
  });
});

// Found by the simulation (seed 135): two nodes that were down were granted an image that cannot be pulled, and came up
// on what they had; the next update took both down at once.
describe('nodes whose old pod serves while another revision is on its way', () => {
  const grantsOf = (text: string, maxUnavailable: number) =>
    plan(text, maxUnavailable).grants.map(({ node, revision }) => `${node} ${revision}`);
  test.each<[string, string, number, string[]]>([
    ['go on to the newest within the budget', 'a old granted:bad, b old', 1, ['a new']],
    ['keep what runs beyond it', 'a old granted:bad, b old granted:bad', 1, ['a old', 'b old']],
    [
      'keep it too when the budget is spent by another',
      'a old granted:bad, b old down',
      1,
      ['b new', 'a old'],
    ],
    ['wait where the agent has not answered', 'a old granted:bad behind, b old down', 1, ['b new']],
    ['may always have what they run', 'a new granted:bad, b new granted:bad', 1, ['a new', 'b new']],
  ])('%s', (_what, text, maxUnavailable, expected) => {
    expect(grantsOf(text, maxUnavailable).sort()).toEqual([...expected].sort());
  });
});
