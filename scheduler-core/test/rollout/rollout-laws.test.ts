// What holds of every rollout, whatever comes: updates good and bad, nodes that break, fall silent and join, pauses,
// approvals and tries again. Each law is shown to fail on a seeded bug.
import { advanceRollout } from '@fleetset/scheduler-core/rollout/advance-rollout';
import { planRollout } from '@fleetset/scheduler-core/rollout/plan-rollout';
import type { RolloutNode } from '@fleetset/scheduler-core/rollout/rollout-node';
import { withBudget } from '@fleetset/scheduler-core/rollout/update-strategy';
import type { RolloutPolicySpec } from '@fleetset/scheduler-core/schema/rollout-policy';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { holds, isCaught } from '../property.ts';
import { tellStory } from './rollout-story.ts';

const REVISIONS = {
  two: 'good',
  three: 'crashes',
  four: 'never ready',
  five: 'flaps',
  six: 'good',
  seven: 'fades',
} as const;
const NODES = ['a', 'b', 'c', 'd'];
type Seeded = Pick<Parameters<typeof tellStory>[0], 'advance' | 'plan'>;

const someEvent = fc.oneof(
  fc.record({ kind: fc.constant('update' as const), to: fc.constantFrom('one', ...Object.keys(REVISIONS)) }),
  fc.record({ kind: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 90 }) }),
  fc.record({ kind: fc.constantFrom('silence', 'return', 'break', 'mend'), node: fc.constantFrom(...NODES) }),
  fc.record({
    kind: fc.constantFrom('close', 'open', 'hold', 'hold unheard', 'release'),
    node: fc.constantFrom(...NODES),
  }),
  fc.record({ kind: fc.constantFrom('pause', 'resume', 'approve', 'retry', 'join', 'restart') }),
);
type Event = typeof someEvent extends fc.Arbitrary<infer E> ? E : never;
const somePolicy = fc.record<RolloutPolicySpec>(
  {
    progressDeadlineSeconds: fc.constantFrom(20, 60),
    failureThreshold: fc.constantFrom(1, 2, '50%'),
    soakSeconds: fc.constantFrom(0, 5),
    onFailure: fc.constantFrom('Rollback', 'Pause', 'Continue'),
    steps: fc.constantFrom(
      [],
      [{ nodes: 1 }],
      [
        { nodes: 1, soakSeconds: 3 },
        { nodes: '50%', approval: 'Manual' },
      ],
    ),
  },
  { requiredKeys: ['progressDeadlineSeconds'] },
);
const someRun = fc.record({
  policy: somePolicy,
  maxUnavailable: fc.constantFrom(1, 2, '50%'),
  /** Instead. */
  maxSurge: fc.constantFrom(undefined, 1, 2, '50%'),
  events: fc.array(someEvent, { maxLength: 25 }),
});
type Run = typeof someRun extends fc.Arbitrary<infer R> ? R : never;

function begin({ policy, maxUnavailable, maxSurge, events }: Run, seeded: Seeded = {}) {
  const budget = maxSurge === undefined ? { maxUnavailable } : { maxSurge };
  const story = tellStory({ nodes: NODES, policy, ...budget, revisions: REVISIONS, ...seeded });
  story.wait(10);
  let joined = 0;
  for (const event of events) apply(story, event, policy, () => `n${++joined}`);
  return story;
}

function apply(
  story: ReturnType<typeof tellStory>,
  event: Event,
  policy: RolloutPolicySpec,
  newName: () => string,
) {
  if ('to' in event) return story.update(event.to);
  if ('seconds' in event) return story.wait(event.seconds);
  if (event.kind === 'close') return story.close(event.node, 'its window opens at 2');
  if (event.kind === 'open') return story.close(event.node, undefined);
  if (event.kind === 'hold') return story.hold(event.node, 'held by ann');
  if (event.kind === 'hold unheard') return story.hold(event.node, 'held by ann', true);
  if (event.kind === 'release') return story.hold(event.node, undefined);
  if ('node' in event) {
    const well = event.kind === 'return' || event.kind === 'mend';
    return event.kind === 'silence' || event.kind === 'return'
      ? story.silence(event.node, !well)
      : story.break(event.node, !well);
  }
  switch (event.kind) {
    case 'pause':
      return story.setPolicy({ ...policy, paused: true });
    case 'resume':
      return story.setPolicy(policy);
    case 'approve':
      return story.approve(9);
    case 'retry':
      return story.retry();
    case 'restart':
      return story.restart();
    default:
      return story.join(newName());
  }
}

/** All is well again, and people let it go on. */
function mend(story: ReturnType<typeof tellStory>, policy: RolloutPolicySpec) {
  for (const node of NODES) {
    story.silence(node, false);
    story.break(node, false);
    story.close(node, undefined);
    story.hold(node, undefined);
  }
  story.setPolicy(policy);
}

const freed = (nodes: readonly RolloutNode[]): RolloutNode[] =>
  nodes.map(({ held: _forgotten, ...node }) => node);

describe('whatever comes', () => {
  const keepsBudget = (seeded?: Seeded) =>
    fc.property(someRun, (run) => {
      expect(begin(run, seeded).overBudget()).toBe(0);
    });
  test('no grant takes more nodes down than the budget allows, or were down already', () => {
    holds(keepsBudget(), 300);
  });
  test('a mutant that rolls back everywhere at once is caught', () => {
    const hasty: Seeded = {
      plan: ({ strategy, ...input }) =>
        planRollout({
          ...input,
          strategy: input.fallback === input.target ? withBudget(strategy, 100) : strategy,
        }),
    };
    isCaught(keepsBudget(hasty), 2000);
  });

  const leavesAlone = (seeded?: Seeded) =>
    fc.property(someRun, (run) => {
      expect(begin(run, seeded).trespasses()).toEqual([]);
    });
  /** Node a has the update when its window closes; then c fails with it, and it is rolled back. */
  const closedBeforeTheRollback: [Run] = [
    {
      policy: { progressDeadlineSeconds: 60, failureThreshold: 1 },
      maxUnavailable: 2,
      maxSurge: undefined,
      events: [
        { kind: 'update', to: 'two' },
        { kind: 'wait', seconds: 6 },
        { kind: 'close', node: 'a' },
        { kind: 'break', node: 'c' },
        { kind: 'wait', seconds: 30 },
      ],
    },
  ];
  test('outside of its window or under a hold a node is granted nothing else, unless it has nothing to lose', () => {
    holds(leavesAlone(), 300, [closedBeforeTheRollback]);
  });
  test.each<[string, Seeded]>([
    [
      'that forgets windows',
      { advance: (before, times, view) => advanceRollout(before, times, { ...view, closed: new Map() }) },
    ],
    [
      'that forgets windows in a rollback',
      {
        advance: (before, times, view) => {
          const made = advanceRollout(before, times, view);
          return made.record.phase === 'RollingBack' ? { ...made, holds: new Map() } : made;
        },
      },
    ],
    [
      'that forgets holds',
      {
        advance: (before, times, view) =>
          advanceRollout(before, times, { ...view, nodes: freed(view.nodes) }),
        plan: (input) => planRollout({ ...input, nodes: freed(input.nodes) }),
      },
    ],
  ])('a mutant %s is caught', (_what, mutant) => {
    isCaught(leavesAlone(mutant), 300, [closedBeforeTheRollback]);
  });

  const arrives = (seeded?: Seeded) =>
    fc.property(someRun, (run) => {
      const story = begin(run, seeded);
      mend(story, run.policy);
      story.update('last');
      story.approve(9);
      story.wait(120);
      expect(story.record()).toMatchObject({ phase: 'Complete', newest: 'last', stable: 'last' });
      expect(new Set(story.revisionsOf())).toEqual(new Set(['last']));
    });
  test('a good revision reaches every node in the end', () => {
    holds(arrives(), 200);
  });
  test('a mutant that keeps the failures of the revision before is caught', () => {
    const resentful: Seeded = {
      advance: (before, times, view) => {
        const made = advanceRollout(before, times, view);
        return before && before.newest !== view.newest
          ? { ...made, record: { ...made.record, phase: before.phase } }
          : made;
      },
    };
    isCaught(arrives(resentful), 300);
  });

  /** People let it go on, and mend no machine. */
  const letGo = (story: ReturnType<typeof tellStory>, policy: RolloutPolicySpec) => {
    for (const node of NODES) {
      story.close(node, undefined);
      story.hold(node, undefined);
    }
    story.setPolicy(policy);
  };
  const isDecided = (seeded?: Seeded) =>
    fc.property(someRun, fc.constantFrom('two', 'three', 'four'), (run, to) => {
      const policy = { ...run.policy, onFailure: 'Pause' as const };
      const story = begin({ ...run, policy }, seeded);
      letGo(story, policy);
      story.update('six');
      story.wait(5);
      story.update(to);
      story.approve(9);
      story.wait(400);
      expect(story.record()?.phase).toMatch(/^(Complete|Stopped)$/);
    });
  /** Node d is broken before the update, and takes up the whole budget. */
  const brokenBefore: [Run, 'two'] = [
    {
      policy: { progressDeadlineSeconds: 60 },
      maxUnavailable: 1,
      maxSurge: undefined,
      events: [
        { kind: 'break', node: 'd' },
        { kind: 'wait', seconds: 90 },
      ],
    },
    'two',
  ];
  test('a rollout that nobody holds comes to an end, also with machines that nobody mends', () => {
    holds(isDecided(), 150, [brokenBefore]);
  });
  test('a mutant whose deadline stands still while a node is down is caught', () => {
    const patient: Seeded = {
      advance: (before, times, view) => {
        const made = advanceRollout(before, times, view);
        const isDown = view.nodes.some(({ pod }) => pod?.available === false);
        return isDown ? { ...made, times: { ...made.times, progressAt: view.now } } : made;
      },
    };
    isCaught(isDecided(patient), 100, [brokenBefore]);
  });

  const goesBack = (seeded?: Seeded) =>
    fc.property(someRun, fc.constantFrom('three', 'four'), fc.boolean(), (run, bad, dies) => {
      const policy = { ...run.policy, onFailure: 'Rollback' as const };
      const story = begin({ ...run, policy }, seeded);
      mend(story, policy);
      story.update('last');
      story.approve(9);
      story.wait(120);
      story.update(bad);
      story.approve(9);
      // A node that never got it holds nobody on it.
      const spared = NODES.findIndex(
        (_, at) => ![story.revisionsOf()[at], story.besideOf()[at]].includes(bad),
      );
      if (dies && spared >= 0) story.silence(NODES[spared] as string);
      story.wait(200);
      expect(story.record()).toMatchObject({ phase: 'RolledBack', newest: bad, stable: 'last' });
      const after = story.text();
      story.wait(1000);
      // It never flips back and forth.
      expect(story.text()).toBe(after);
      expect(new Set(story.revisionsOf())).toEqual(new Set(['last']));
    });
  test('a bad revision is rolled back everywhere, once and for all', () => {
    holds(goesBack(), 100);
  });
  test('a mutant that tries again by itself is caught', () => {
    const stubborn: Seeded = {
      advance: (before, times, view) =>
        advanceRollout(before, times, { ...view, retry: String(Math.floor(view.now / 900_000)) }),
    };
    isCaught(goesBack(stubborn), 100);
  });
});
