// Proves which nodes are granted the newest revision under a surge, and what the others are told (rules 31, 32 and 41
// to 46, and the departure: a node counts from its grant on), and what becomes of a surge that is switched off.
import { planRollout } from '@fleetset/scheduler-core/rollout/plan-rollout';
import {
  allowsSurge,
  type UpdateStrategy,
  withBudget,
} from '@fleetset/scheduler-core/rollout/update-strategy';
import { describe, expect, test } from 'vitest';
import { fleet, grantedIn } from './nodes-in-words.ts';

const surge = (maxSurge: number | string): UpdateStrategy => ({
  type: 'RollingUpdate',
  maxUnavailable: 0,
  maxSurge,
});
const plan = (text: string, maxSurge: number | string = 1) =>
  planRollout({ strategy: surge(maxSurge), target: 'new', nodes: fleet(text) });
const granted = (...args: Parameters<typeof plan>) => grantedIn(plan(...args));

describe('a surge grants', () => {
  test.each<[string, string, number | string, string]>([
    ['rule 41: as many nodes as it allows', 'a old, b old, c old', 2, 'a b'],
    ['rule 31: a percentage of the desired nodes, rounded up', 'a old, b old, c old', '34%', 'a b'],
    ['rule 46: the least percentage is one', 'a old, b old', '1%', 'a'],
    ['the next when the first has only the new pod', 'a new, b old, c old', 1, 'b'],
    ['no second node from the first grant on', 'a old granted:new, b old', 1, ''],
    ['nor while both run', 'a old beside:new, b old', 1, ''],
    ['nor while the new one is not known to be alone', 'a new beside:new, b old', 1, ''],
    ['no second one while the first is down with it (a departure from rule 43)', 'a new down, b old', 1, ''],
    ['nor while it is not even there', 'a granted:new, b old', 1, ''],
    ['nor while one is down with another update', 'a bad down Keep, b bad down off, c old', 1, ''],
    [
      'rule 42: every node whose old pod is down, beyond the limit',
      'a old down, b old down, c old',
      1,
      'a b',
    ],
    ['and these spend it from then on', 'a old down, b old, c old', 2, 'a b'],
    ['rule 42: also when it is spent already', 'a old beside:new, b old down, c old', 1, 'b'],
    ['rule 18: a node whose pod was deleted', 'a old deleted, b old beside:new', 1, 'a'],
    ['a node without a pod, which spends it until it is up', 'a, b old', 1, 'a'],
    ['and which may, when it is spent already', 'a, b old beside:new', 1, 'a'],
    ['but does when one may have come since', 'a granted:old, b old', 1, 'a'],
    ['a newer revision to who is on the way to another one', 'a old beside:bad, b old, c old', 1, 'a'],
    ['and back to what the old pod has', 'a new beside:bad, b new', 1, 'a'],
    [
      'not who may only keep its pod (a departure from rule 44)',
      'a old Keep, b old down Keep, c old',
      1,
      'c',
    ],
  ])('%s', (_sentence, nodes, maxSurge, expected) => {
    expect(granted(nodes, maxSurge)).toBe(expected);
  });
});

describe('what is not known', () => {
  test.each([
    ['silent before the update: set aside', 'a old lost, b old', 'b'],
    ['silent after it got the revision: it spends', 'a old granted:new lost, b old', ''],
    ['silent after it came up on it: it spends as well', 'a new lost, b old', ''],
    ['has not answered: it spends, and waits', 'a old behind, b old', ''],
    ['has not answered, and was down: it may have come up', 'a old down behind, b old', ''],
    ['has not answered, and had no pod: it may have one', 'a granted:old behind, b old', ''],
    ['has not answered, but never was granted anything', 'a behind, b new', 'a'],
    ['has not answered, but is on its way: it was counted then', 'a old granted:bad behind, b old', 'a'],
    ['not connected, and no report: it spends', 'a off, b old', ''],
    ['its agent has not looked yet: it spends, and waits', 'a old unknown, b old', ''],
  ])('%s', (_sentence, nodes, expected) => {
    expect(granted(nodes)).toBe(expected);
  });
});

describe('what it says', () => {
  test('of grants, of waits, and of the count', () => {
    expect(plan('a old beside:new, b old, c old down, d old, e, f old granted:bad', 5)).toEqual({
      grants: [
        {
          node: 'c',
          revision: 'new',
          reason: 'its pod is not available: another one may come beside it',
          surge: true,
        },
        { node: 'e', revision: 'new', reason: 'the node runs no pod now', surge: true },
        { node: 'f', revision: 'new', reason: 'another revision is on its way to it already', surge: true },
        { node: 'b', revision: 'new', reason: 'within maxSurge 5', surge: true },
      ],
      waits: [
        { node: 'd', reason: 'waits for its turn: 5 of at most 5 nodes are being updated or down (a, ...)' },
      ],
      maxUnavailable: 0,
      unavailable: 0,
      surge: { maxSurge: 5, updating: 3 },
    });
  });
  test('of a node that is down with the revision that was stable: it is not counted before its turn', () => {
    const nodes = fleet('a old down, b old, c old, d old beside:new');
    const holds = new Map([['a', 'its step has not begun']]);
    const made = planRollout({ strategy: surge(2), target: 'new', fallback: 'old', nodes, holds });
    expect(made.surge).toEqual({ maxSurge: 2, updating: 1 });
    expect(made.grants.map(({ node }) => node)).toEqual(['b']);
  });
  test('of a budget by a label, which counts the same', () => {
    const made = planRollout({
      strategy: surge(3),
      target: 'new',
      nodes: fleet('a old zone:x beside:new, b old zone:x, c old zone:y'),
      groupBudgets: [{ topologyKey: 'zone', maxUnavailable: 1 }],
    });
    expect(made.grants.map(({ node }) => node)).toEqual(['c']);
    expect(made.waits).toEqual([
      { node: 'b', reason: 'waits for its turn: 1 of the nodes with zone=x are being updated or down' },
    ]);
  });
});

describe('the strategy', () => {
  test.each<[string, Partial<UpdateStrategy>, boolean]>([
    ['rule 46: any percentage is a surge', { maxSurge: '1%' }, true],
    ['rule 32: nothing is none', { maxSurge: '0%' }, false],
    ['nor is one that is not said', {}, false],
    ['OnDelete has none', { type: 'OnDelete', maxSurge: 1 }, false],
  ])('%s', (_sentence, strategy, expected) => {
    expect(allowsSurge({ type: 'RollingUpdate', maxUnavailable: 0, ...strategy })).toBe(expected);
  });
  test('rule 32: where both are nothing, one node may be down', () => {
    expect(plan('a old, b old', 0)).toMatchObject({ maxUnavailable: 1, grants: [{ node: 'a' }] });
  });
  test("a step's budget is one of the surge", () => {
    expect(withBudget(surge(1), 3)).toEqual(surge(3));
    expect(withBudget({ type: 'RollingUpdate', maxUnavailable: 1 }, 3)).toMatchObject({ maxUnavailable: 3 });
  });
});

describe('a surge that is switched off', () => {
  const off = (text: string) =>
    planRollout({
      strategy: { type: 'RollingUpdate', maxUnavailable: 1 },
      target: 'new',
      nodes: fleet(text),
    });
  test('ends as one on the nodes where it began, which spend the other budget', () => {
    expect(off('a old beside:new surging, b old beside:new surging, c old')).toMatchObject({
      grants: [],
      unavailable: 2,
      waits: [{ node: 'c', reason: 'waits for its turn: 2 of at most 1 nodes are unavailable (a, ...)' }],
    });
  });
  test('ends as one also with another revision: no more nodes go down than may', () => {
    expect(off('a old beside:bad surging, b old beside:bad surging, c old').grants).toEqual([
      { node: 'a', revision: 'new', reason: 'another revision is on its way to it already', surge: true },
      { node: 'b', revision: 'new', reason: 'another revision is on its way to it already', surge: true },
    ]);
  });
  test('is over on a node that has only what it was granted', () => {
    expect(off('a new surging, b old surging, c new beside:new surging, d new surging behind').over).toEqual([
      { node: 'a', revision: 'new' },
      { node: 'b', revision: 'old' },
    ]);
    expect(plan('a new surging').over).toBeUndefined();
  });
  test('does not go on where a new pod has not come beside an old one', () => {
    expect(off('a old surging').grants).toEqual([
      { node: 'a', revision: 'new', reason: 'within maxUnavailable 1' },
    ]);
  });
});
