// The way back to what was stable, whatever machine breaks on it: it says that it is late when no node came nearer for the
// deadline, and only then; it is never given up, and ends when the machines are mended.
import { advanceRollout } from '@fleetset/scheduler-core/rollout/advance-rollout';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { holds, isCaught } from '../property.ts';
import { tellStory } from './rollout-story.ts';

const NODES = ['a', 'b', 'c', 'd'];
const DEADLINE_S = 40;
type Seeded = Pick<Parameters<typeof tellStory>[0], 'advance' | 'plan'>;
type Story = ReturnType<typeof tellStory>;

const someTrouble = fc.record({
  /** Since the way back began. */
  after: fc.integer({ min: 0, max: 15 }),
  node: fc.constantFrom(...NODES),
  kind: fc.constantFrom('breaks', 'unready', 'silent'),
  lasts: fc.integer({ min: 1, max: 150 }),
});
type Trouble = typeof someTrouble extends fc.Arbitrary<infer T> ? T : never;
const someWay = fc.record({
  /** By a verdict, or since people undo it after so many seconds. */
  undoneAfter: fc.constantFrom(undefined, 3, 7, 12),
  bad: fc.constantFrom('crashes' as const, 'flaps' as const, 'never ready' as const),
  maxUnavailable: fc.constantFrom(1, 2),
  onFailure: fc.constantFrom('Rollback' as const, 'Continue' as const),
  troubles: fc.array(someTrouble, { minLength: 1, maxLength: 3 }),
});
type Way = typeof someWay extends fc.Arbitrary<infer W> ? W : never;

function meet(story: Story, { node, kind }: Trouble, ends: boolean) {
  if (kind === 'silent') story.silence(node, !ends);
  else story.break(node, ends ? false : kind === 'unready' ? 'unready' : true);
}

/** On the way back; undefined where it never set out. */
function setOut({ undoneAfter, bad, maxUnavailable, onFailure }: Way, seeded: Seeded): Story | undefined {
  const story = tellStory({
    nodes: NODES,
    maxUnavailable,
    revisions: { two: bad },
    policy: { progressDeadlineSeconds: DEADLINE_S, failureThreshold: 1, soakSeconds: 30, onFailure },
    ...seeded,
  });
  // What was never proved is no place to go back to.
  story.wait(40);
  story.update('two');
  for (let second = 0; second < 120; second++) {
    story.wait(1);
    if (story.record()?.phase === 'RollingBack') return story;
    if (second === undoneAfter) {
      story.update('one');
      return story;
    }
  }
  return undefined;
}

const isOver = (story: Story) => ['RolledBack', 'Complete'].includes(story.record()?.phase ?? '');

/** Each second, whether it should say that it is late, by somebody who counts for himself. */
function goBack(way: Way, seeded: Seeded = {}) {
  const story = setOut(way, seeded);
  if (!story) return;
  const arrived = new Set<string>();
  /** How long nobody new has arrived. */
  let still = 0;
  const silent = new Set<string>();
  const look = () => {
    const before = arrived.size;
    const there = [...story.availableOf()].filter(([, revision]) => revision === 'one');
    for (const [name] of there) arrived.add(name);
    const aside = NODES.filter((name, at) => silent.has(name) && story.revisionsOf()[at] !== 'one');
    // While it is watched nobody is waited for.
    if (arrived.size > before || there.length + aside.length === NODES.length) still = 0;
  };
  look();
  still = 0;
  for (let second = 0; second < 200 && !isOver(story); second++) {
    for (const trouble of way.troubles) {
      const ends = trouble.after + trouble.lasts === second;
      if (!ends && trouble.after !== second) continue;
      meet(story, trouble, ends);
      if (trouble.kind === 'silent') silent[ends ? 'delete' : 'add'](trouble.node);
      look();
    }
    story.wait(1);
    still += 1;
    look();
    if (isOver(story)) break;
    expect(story.record()?.phase).toMatch(/^(RollingBack|Progressing)$/);
    // A node that arrived and went down again is no progress, and none that dies without what failed is waited for.
    expect(`${second}: ${story.record()?.late !== undefined}`).toBe(`${second}: ${still >= DEADLINE_S}`);
  }
  for (const node of NODES) {
    story.silence(node, false);
    story.break(node, false);
  }
  story.wait(60);
  expect(isOver(story)).toBe(true);
  expect(new Set(story.revisionsOf())).toEqual(new Set(['one']));
  expect(story.overBudget()).toBe(0);
}

const saysSo = (seeded?: Seeded) => fc.property(someWay, (way) => goBack(way, seeded));

describe('the way back', () => {
  test('is late when nobody came nearer for the deadline, and only then, and always ends', () => {
    holds(saysSo(), 300);
  });

  test.each<[string, Seeded]>([
    [
      'that never says it is late',
      {
        advance: (before, times, view) => {
          const made = advanceRollout(before, times, view);
          const { late: _unsaid, ...record } = made.record;
          return { ...made, record };
        },
      },
    ],
    [
      'that stays late',
      {
        advance: (before, times, view) => {
          const made = advanceRollout(before, times, view);
          const same = before?.late !== undefined && before.phase === made.record.phase;
          return same ? { ...made, record: { ...made.record, late: before.late } } : made;
        },
      },
    ],
    [
      'that gives up at the deadline',
      {
        advance: (before, times, view) => {
          const made = advanceRollout(before, times, view);
          return made.record.late === undefined
            ? made
            : { ...made, record: { ...made.record, phase: 'Stopped' } };
        },
      },
    ],
  ])('a mutant %s is caught', (_what, mutant) => {
    isCaught(saysSo(mutant), 300);
  });
});
