// Situations that matter, each told as a story in transcripts/: `vitest -u` writes them anew, a person reads what
// changed.
import type { RolloutPolicySpec } from '@fleetset/scheduler-core/schema/rollout-policy';
import { describe, expect, test } from 'vitest';
import { tellStory } from './rollout-story.ts';

const ABC = ['a', 'b', 'c'];
type Story = ReturnType<typeof tellStory>;
const tells = (story: Story, name: string) =>
  expect(story.text()).toMatchFileSnapshot(`transcripts/${name}.txt`);

describe('a rollout', () => {
  test('of a good revision goes node by node', async () => {
    const story = tellStory({ nodes: ABC });
    story.update('two');
    story.wait(30);
    expect(story.revisionsOf()).toEqual(['two', 'two', 'two']);
    expect(story.record()).toMatchObject({ phase: 'Complete', stable: 'two' });
    await tells(story, 'good');
  });

  test('of a crashing revision is rolled back from the first node', async () => {
    const story = tellStory({ nodes: ABC, revisions: { two: 'crashes' } });
    story.update('two');
    story.wait(60);
    expect(story.revisionsOf()).toEqual(['one', 'one', 'one']);
    expect(story.record()).toMatchObject({ phase: 'RolledBack', stable: 'one' });
    await tells(story, 'crashes');
  });

  test('begins no step while a node of the step before has not come up', async () => {
    const story = tellStory({
      nodes: ['a', 'b', 'c', 'd', 'e', 'f'],
      policy: { steps: [{ nodes: 1 }, { nodes: 3 }], failureThreshold: 5, progressDeadlineSeconds: 300 },
      maxUnavailable: 2,
    });
    story.update('two');
    story.wait(5);
    story.break('b', 'unready');
    story.wait(15);
    expect(story.revisionsOf()).toEqual(['two', 'two', 'two', 'two', 'one', 'one']);
    story.break('b', false);
    story.wait(15);
    expect(story.record()?.phase).toBe('Complete');
    await tells(story, 'late-in-its-step');
  });

  test('begins no step while a node has not come up that is sorted into an earlier step by now', async () => {
    const story = tellStory({
      nodes: ['a', 'b', 'c', 'd', 'e', 'f'],
      policy: { steps: [{ nodes: 1 }, { nodes: 2 }], failureThreshold: 5, progressDeadlineSeconds: 300 },
      maxUnavailable: 2,
    });
    // Who is down comes first: f is the canary, and a the first by name of those that were granted it.
    story.break('f', 'unready');
    story.update('two');
    story.wait(5);
    story.break('f', false);
    story.wait(2);
    story.break('a', 'unready');
    story.wait(30);
    expect(story.revisionsOf()).toEqual(['two', 'two', 'one', 'one', 'one', 'two']);
    story.break('a', false);
    story.wait(30);
    expect(story.record()?.phase).toBe('Complete');
    await tells(story, 'late-in-an-earlier-step');
  });

  test('that does not come nearer is rolled back when the deadline has passed', async () => {
    const story = tellStory({
      nodes: ABC,
      revisions: { two: 'never ready' },
      policy: { progressDeadlineSeconds: 60, failureThreshold: '100%' },
    });
    story.update('two');
    story.wait(90);
    expect(story.record()?.phase).toBe('RolledBack');
    await tells(story, 'deadline');
  });

  test('comes nearer with each node that gets it, also when others that had it were removed', () => {
    const nodes = Array.from({ length: 12 }, (_, at) => `n${String(at).padStart(2, '0')}`);
    const story = tellStory({ nodes, policy: { progressDeadlineSeconds: 12 } });
    story.update('two');
    story.wait(31);
    for (const name of nodes.slice(0, 3)) story.remove(name);
    story.wait(60);
    expect(story.record()).toMatchObject({ phase: 'Complete', stable: 'two', failures: {} });
  });

  test('stops where it is when the policy says Pause', async () => {
    const story = tellStory({ nodes: ABC, revisions: { two: 'crashes' }, policy: { onFailure: 'Pause' } });
    story.update('two');
    story.wait(60);
    expect(story.revisionsOf()).toEqual(['two', 'one', 'one']);
    expect(story.record()?.phase).toBe('Stopped');
    story.update('three');
    story.wait(60);
    expect(story.revisionsOf()).toEqual(['three', 'three', 'three']);
    await tells(story, 'pause-on-failure');
  });

  test('that failed is tried again only when somebody says so, and never by itself', async () => {
    const story = tellStory({ nodes: ABC, revisions: { two: 'crashes' } });
    story.update('two');
    story.wait(3600);
    expect(story.revisionsOf()).toEqual(['one', 'one', 'one']);
    story.retry();
    story.wait(3);
    expect(story.revisionsOf()).toEqual(['two', 'one', 'one']);
    story.wait(60);
    expect(story.revisionsOf()).toEqual(['one', 'one', 'one']);
    await tells(story, 'retry');
  });

  test('is undone in the middle', async () => {
    const story = tellStory({ nodes: ABC });
    story.update('two');
    story.wait(8);
    story.update('one');
    story.wait(30);
    expect(story.revisionsOf()).toEqual(['one', 'one', 'one']);
    await tells(story, 'undo-in-the-middle');
  });

  test('in the middle of a rollback begins anew, and goes back to what was stable', async () => {
    const story = tellStory({ nodes: ABC, revisions: { two: 'crashes', three: 'crashes' } });
    story.update('two');
    story.wait(12);
    story.update('three');
    story.wait(60);
    expect(story.revisionsOf()).toEqual(['one', 'one', 'one']);
    expect(story.record()).toMatchObject({ newest: 'three', stable: 'one', phase: 'RolledBack' });
    await tells(story, 'update-in-a-rollback');
  });

  test('with nothing to go back to stops', async () => {
    const story = tellStory({ nodes: [], revisions: { one: 'crashes' } });
    for (const name of ABC) story.join(name);
    story.wait(60);
    expect(story.record()?.phase).toBe('Stopped');
    await tells(story, 'first-is-bad');
  });
});

describe('the way back', () => {
  const policy = { progressDeadlineSeconds: 60 };
  const LATE = 'on the way back no node came nearer in 60 s';

  test('that waits for a node that is down is late at the deadline, goes on when it is mended, and never turns round', async () => {
    const story = tellStory({ nodes: [...ABC, 'd'], policy });
    story.update('two');
    story.wait(12);
    story.break('c');
    story.wait(11);
    expect(story.record()).toMatchObject({ phase: 'RollingBack', stable: 'one' });
    story.wait(57);
    expect(story.record()?.late).toBeUndefined();
    story.wait(3600);
    expect(story.record()).toMatchObject({ phase: 'RollingBack', late: LATE });
    expect(story.revisionsOf()).toEqual(['two', 'two', 'one', 'one']);
    story.break('c', false);
    expect(story.record()).not.toHaveProperty('late');
    story.wait(30);
    expect(story.record()).toMatchObject({ phase: 'RolledBack', stable: 'one' });
    expect(story.record()).not.toHaveProperty('late');
    expect(story.revisionsOf()).toEqual(['one', 'one', 'one', 'one']);
    expect(story.overBudget()).toBe(0);
    await tells(story, 'late-rollback');
  });

  test('has its own deadline, however long the revision that failed was under way', () => {
    const story = tellStory({ nodes: ABC, revisions: { two: 'never ready' }, policy });
    story.update('two');
    story.wait(60);
    expect(story.record()).toMatchObject({ phase: 'RollingBack', reason: 'ProgressDeadlineExceeded' });
    story.silence('a');
    story.wait(59);
    expect(story.record()).not.toHaveProperty('late');
    story.wait(1);
    expect(story.record()).toMatchObject({ phase: 'RollingBack', late: LATE });
  });

  test('of an undo is not given up for a node that dies: it is late, and ends when that returns', async () => {
    const story = tellStory({ nodes: ABC, policy });
    story.update('two');
    story.wait(12);
    story.update('one');
    story.wait(2);
    story.silence('c');
    story.wait(50);
    expect(story.record()).not.toHaveProperty('late');
    story.wait(3600);
    expect(story.record()).toMatchObject({ phase: 'Progressing', newest: 'one', reason: '', late: LATE });
    expect(story.revisionsOf()).toEqual(['two', 'two', 'one']);
    story.silence('c', false);
    story.wait(5);
    expect(story.record()).not.toHaveProperty('late');
    story.wait(30);
    expect(story.record()).toMatchObject({ phase: 'Complete', stable: 'one' });
    expect(story.revisionsOf()).toEqual(['one', 'one', 'one']);
    expect(story.overBudget()).toBe(0);
    await tells(story, 'late-undo');
  });

  test('of an undo stops under onFailure Pause, as any rollout does', () => {
    const story = tellStory({ nodes: ABC, policy: { ...policy, onFailure: 'Pause' } });
    story.update('two');
    story.wait(12);
    story.update('one');
    story.wait(2);
    story.silence('c');
    story.wait(100);
    expect(story.record()).toMatchObject({ phase: 'Stopped', newest: 'one', stable: 'one' });
  });

  test('is not late while it is paused', () => {
    const story = tellStory({ nodes: ABC, policy });
    story.update('two');
    story.wait(12);
    story.setPolicy({ ...policy, paused: true });
    story.update('one');
    story.wait(3600);
    expect(story.revisionsOf()).toEqual(['two', 'two', 'two']);
    expect(story.record()).not.toHaveProperty('late');
  });

  test('ends without a node that is removed from the fleet', () => {
    const story = tellStory({ nodes: ABC, policy });
    story.update('two');
    story.wait(12);
    story.break('c');
    story.wait(3600);
    expect(story.record()).toMatchObject({ phase: 'RollingBack', late: LATE });
    story.remove('c');
    story.wait(30);
    expect(story.record()?.phase).toBe('RolledBack');
    expect(story.revisionsOf()).toEqual(['one', 'one']);
  });

  test('gives way to another change, also while it is late', () => {
    const story = tellStory({ nodes: ABC, policy });
    story.update('two');
    story.wait(12);
    story.break('c');
    story.wait(3600);
    story.break('c', false);
    story.update('three');
    story.wait(60);
    expect(story.record()).toMatchObject({ phase: 'Complete', newest: 'three' });
    expect(story.record()).not.toHaveProperty('late');
  });
});

describe('a surge', () => {
  /** How many nodes are down at the worst of so many seconds. */
  const worstOf = (story: Story, seconds: number) => {
    let worst = story.downNow();
    for (let second = 0; second < seconds; second++) {
      story.wait(1);
      worst = Math.max(worst, story.downNow());
    }
    return worst;
  };

  test('runs both pods on one node at a time, and no node is ever down', async () => {
    const story = tellStory({ nodes: ABC, maxSurge: 1 });
    story.update('two');
    expect(story.besideOf()).toEqual(['two', undefined, undefined]);
    expect(worstOf(story, 30)).toBe(0);
    expect(story.revisionsOf()).toEqual(['two', 'two', 'two']);
    expect(story.record()).toMatchObject({ phase: 'Complete', stable: 'two' });
    await tells(story, 'surge');
  });

  test('to a revision that crashes goes back, and the old pods never stopped', async () => {
    const story = tellStory({ nodes: ABC, maxSurge: 2, revisions: { two: 'crashes' } });
    story.update('two');
    expect(worstOf(story, 60)).toBe(0);
    expect(story.revisionsOf()).toEqual(['one', 'one', 'one']);
    expect(story.besideOf()).toEqual([undefined, undefined, undefined]);
    expect(story.record()).toMatchObject({ phase: 'RolledBack', stable: 'one' });
    await tells(story, 'surge-goes-back');
  });

  test('to a revision that never gets ready goes back when the deadline has passed', async () => {
    const story = tellStory({
      nodes: ABC,
      maxSurge: 1,
      revisions: { two: 'never ready' },
      policy: { progressDeadlineSeconds: 60, failureThreshold: '100%' },
    });
    story.update('two');
    expect(worstOf(story, 90)).toBe(0);
    expect(story.record()?.phase).toBe('RolledBack');
    await tells(story, 'surge-deadline');
  });

  test('to a revision that fails after a while stops at the budget, and goes back', async () => {
    const nodes = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    const story = tellStory({ nodes, maxSurge: 1, revisions: { two: 'fades' } });
    story.update('two');
    // The second one was on its way before the first went down.
    expect(worstOf(story, 600)).toBe(2);
    expect(story.record()?.phase).toBe('Progressing');
    expect(worstOf(story, 30)).toBe(2);
    expect(story.record()?.phase).toBe('RolledBack');
    await tells(story, 'surge-fades');
  });

  test('in steps, each with its own budget', async () => {
    const story = tellStory({
      nodes: ['a', 'b', 'c', 'd', 'e'],
      maxSurge: 1,
      policy: {
        steps: [
          { name: 'canary', nodes: 1, soakSeconds: 20 },
          { name: 'rest', maxUnavailable: '50%' },
        ],
      },
    });
    story.update('two');
    expect(worstOf(story, 26)).toBe(0);
    expect(story.besideOf()).toEqual([undefined, 'two', 'two', undefined, undefined]);
    expect(worstOf(story, 30)).toBe(0);
    expect(story.record()?.phase).toBe('Complete');
    await tells(story, 'surge-steps');
  });
});

describe('silent nodes', () => {
  test('that were silent before are set aside and caught up', async () => {
    const story = tellStory({ nodes: ABC });
    story.silence('b');
    story.update('two');
    story.wait(30);
    expect(story.revisionsOf()).toEqual(['two', 'one', 'two']);
    expect(story.record()?.phase).toBe('Complete');
    story.silence('b', false);
    story.wait(10);
    expect(story.revisionsOf()).toEqual(['two', 'two', 'two']);
    await tells(story, 'silent-before');
  });

  test('hold nothing up, also when they fall silent while they wait, and when the plane restarts', async () => {
    const story = tellStory({ nodes: ['a', 'b', 'c', 'd'] });
    story.silence('b');
    story.update('two');
    story.wait(3);
    story.silence('d');
    story.wait(4);
    story.restart();
    story.wait(3600);
    expect(story.revisionsOf()).toEqual(['two', 'one', 'two', 'one']);
    expect(story.record()?.phase).toBe('Complete');
    await tells(story, 'silent-and-restart');
  });

  test('that had the revision all along and were silent before it came back do not fail it', async () => {
    const story = tellStory({ nodes: ABC });
    story.silence('b');
    story.update('two');
    story.wait(30);
    story.update('one');
    story.wait(2);
    story.restart();
    story.wait(3600);
    expect(story.revisionsOf()).toEqual(['one', 'one', 'one']);
    expect(story.record()).toMatchObject({ phase: 'Complete', failures: {} });
    await tells(story, 'undo-with-a-dead-node');
  });

  const FIVE = ['a', 'b', 'c', 'd', 'e'];
  const awayMeanwhile = () => {
    const story = tellStory({ nodes: FIVE });
    for (const name of ['b', 'c']) story.silence(name);
    story.update('two');
    story.wait(30);
    expect(story.record()?.phase).toBe('Complete');
    return story;
  };

  test.each(['in one life of the plane', 'and the plane restarts'])(
    'that die when it is complete keep nobody who returns from it: %s',
    async (how) => {
      const story = awayMeanwhile();
      story.break('a', 'unready');
      story.wait(5);
      story.silence('a');
      story.wait(60);
      if (how === 'and the plane restarts') story.restart();
      for (const name of ['b', 'c']) story.silence(name, false);
      story.wait(30);
      expect(story.revisionsOf()).toEqual(['two', 'two', 'two', 'two', 'two']);
      expect(story.overBudget()).toBe(0);
      if (how === 'in one life of the plane') await tells(story, 'dead-when-complete');
    },
  );

  test('that return when it is complete and die of it spend budget: the next is spared', () => {
    const story = awayMeanwhile();
    story.silence('b', false);
    story.wait(2);
    expect(story.revisionsOf()).toEqual(['two', 'two', 'one', 'two', 'two']);
    story.silence('b');
    story.silence('c', false);
    story.wait(3600);
    expect(story.revisionsOf()).toEqual(['two', 'two', 'one', 'two', 'two']);
    expect(story.text()).toContain('c: waits for its turn: 1 of at most 1 nodes are unavailable (b)');
    story.remove('b');
    story.wait(10);
    expect(story.revisionsOf()).toEqual(['two', 'two', 'two', 'two']);
  });

  test('that were broken before and die spend no budget', () => {
    const story = tellStory({ nodes: ABC });
    story.wait(1);
    story.break('b');
    story.wait(60);
    story.update('two');
    story.wait(30);
    story.silence('b');
    story.wait(30);
    expect(story.revisionsOf()).toEqual(['two', 'two', 'two']);
    expect(story.record()).toMatchObject({ phase: 'Complete', failures: {} });
  });

  const BACK = { nodes: ['a', 'b', 'c', 'd'], policy: { failureThreshold: 1 } };
  test.each(['before the rollback', 'in it', 'as the plane restarts'])(
    'that never had the new revision hold no rollback up: %s',
    async (when) => {
      const story = tellStory(BACK);
      story.update('two');
      story.wait(8);
      if (when === 'before the rollback') story.silence('d');
      story.break('b');
      if (when === 'in it') story.silence('d');
      if (when === 'as the plane restarts') {
        story.silence('d', true);
        story.restart();
      }
      story.wait(20);
      story.break('b', false);
      story.wait(60);
      expect(story.record()).toMatchObject({ phase: 'RolledBack', aside: ['d'] });
      expect(story.revisionsOf()).toEqual(['one', 'one', 'one', 'one']);
      if (when === 'in it') await tells(story, 'silent-in-a-rollback');
    },
  );

  test('that fall silent on their way back hold it up', () => {
    const story = tellStory(BACK);
    story.update('two');
    story.wait(12);
    story.break('b');
    story.wait(12);
    story.silence('b');
    story.wait(3600);
    expect(story.record()).toMatchObject({ phase: 'RollingBack', aside: [] });
    story.silence('b', false);
    story.break('b', false);
    story.wait(60);
    expect(story.record()).toMatchObject({ phase: 'RolledBack', aside: [] });
  });

  test('that fell silent with the new revision fail it', async () => {
    const story = tellStory({ nodes: ABC, revisions: { two: 'kills the node' } });
    story.update('two');
    story.wait(30);
    expect(story.record()?.phase).not.toBe('Progressing');
    expect(story.revisionsOf().filter((one) => one === 'two')).toHaveLength(1);
    await tells(story, 'silent-after');
  });
});

describe('a node that was broken before', () => {
  const six = ['a', 'b', 'c', 'd', 'e', 'f'];
  const broken = (how: true | 'unready', more: Partial<Parameters<typeof tellStory>[0]> = {}) => {
    const story = tellStory({ nodes: six, maxUnavailable: 2, ...more });
    story.wait(1);
    story.break('d', how);
    story.wait(3600);
    return story;
  };
  const healthy = (story: Story) => story.revisionsOf().filter((_, at) => six[at] !== 'd');

  test.each([true, 'unready'] as const)(
    'fails no good revision, and nobody waits for it (%s)',
    async (how) => {
      const story = broken(how);
      story.update('two');
      story.wait(3600);
      expect(story.record()).toMatchObject({ phase: 'Complete', stable: 'two', failures: {}, broken: ['d'] });
      if (how === true) await tells(story, 'broken-before');
      story.break('d', false);
      story.wait(10);
      expect(story.record()?.broken).toEqual([]);
    },
  );

  test('fails no good revision under a surge', () => {
    const story = broken(true, { maxSurge: 1 });
    story.update('two');
    story.wait(3600);
    expect(story.record()).toMatchObject({ phase: 'Complete', failures: {} });
  });

  test('takes up a budget of one: it is updated first, and what does not mend it stops at the deadline', async () => {
    const story = broken(true, { maxUnavailable: 1 });
    story.update('two');
    story.wait(700);
    expect(story.revisionsOf()).toEqual(['one', 'one', 'one', 'two', 'one', 'one']);
    const verdict = { phase: 'Stopped', reason: 'ProgressDeadlineExceeded', failures: {} };
    expect(story.record()).toMatchObject(verdict);
    expect(story.record()?.message).toContain('d was down before it came');
    story.retry();
    story.wait(700);
    expect(story.record()).toMatchObject(verdict);
    story.update('three');
    story.wait(700);
    expect(story.record()).toMatchObject({ ...verdict, newest: 'three' });
    story.break('d', false);
    story.retry();
    story.wait(60);
    expect(story.record()).toMatchObject({ phase: 'Complete', stable: 'three', failures: {} });
    await tells(story, 'broken-before-takes-the-budget');
  });

  test.each<[string, RolloutPolicySpec]>([
    ['without steps', {}],
    ['with a canary', { steps: [{ nodes: 1, soakSeconds: 30 }] }],
  ])('that takes up a budget of one and is mended by the update holds nobody up: %s', (_how, policy) => {
    const story = broken(true, { maxUnavailable: 1, policy });
    story.update('two');
    story.wait(5);
    expect(story.revisionsOf()).toEqual(['one', 'one', 'one', 'two', 'one', 'one']);
    story.break('d', false);
    story.wait(120);
    expect(story.record()).toMatchObject({ phase: 'Complete', stable: 'two', failures: {} });
  });

  test('that takes up a budget of one excuses no other node that fails', () => {
    const story = broken(true, { maxUnavailable: 1 });
    story.break('d', false);
    story.wait(10);
    story.update('two');
    story.wait(3);
    story.break('a');
    story.break('d');
    story.wait(700);
    expect(story.record()).toMatchObject({ phase: 'RollingBack', failures: { a: expect.anything() } });
  });

  test('when the policy says Continue, the deadline tells its name and nothing stops', () => {
    const story = broken(true, { maxUnavailable: 1, policy: { onFailure: 'Continue' } });
    story.update('two');
    story.wait(700);
    expect(story.record()).toMatchObject({ phase: 'Progressing', reason: 'ProgressDeadlineExceeded' });
    expect(story.record()?.message).toContain('d was down before it came');
    story.break('d', false);
    story.wait(60);
    expect(story.record()?.phase).toBe('Complete');
  });

  test('holds no rollback up', () => {
    const story = broken('unready', { revisions: { two: 'crashes' } });
    story.update('two');
    story.wait(120);
    expect(story.record()).toMatchObject({ phase: 'RolledBack', stable: 'one' });
    expect(Object.keys(story.record()?.failures ?? {})).toEqual(['a']);
    expect(healthy(story)).toEqual(['one', 'one', 'one', 'one', 'one']);
  });

  test('gets it with the canary, and is none', () => {
    const story = broken(true, { policy: { steps: [{ nodes: 1, soakSeconds: 30 }] } });
    story.update('two');
    story.wait(20);
    expect(story.revisionsOf()).toEqual(['two', 'one', 'one', 'two', 'one', 'one']);
    story.wait(120);
    expect(story.record()).toMatchObject({ phase: 'Complete', failures: {} });
  });

  test('counts when it had the revision', () => {
    const story = broken(true, { maxUnavailable: 2, policy: { failureThreshold: 1, soakSeconds: 60 } });
    story.update('two');
    story.break('d', false);
    story.wait(8);
    story.break('d', true);
    story.wait(20);
    expect(story.record()?.failures).toHaveProperty('d');
  });
});

describe('waves', () => {
  const steps = [
    { name: 'canary', nodes: 1, soakSeconds: 30 },
    { name: 'lab', nodeSelector: { site: 'lab' }, maxUnavailable: '100%', approval: 'Manual' as const },
  ];
  const nodes = ['a', 'b', 'c', 'd', 'e'];
  const labels = { b: { site: 'lab' }, d: { site: 'lab' } };

  test('come one after the other, with their soak and their approval', async () => {
    const story = tellStory({ nodes, labels, policy: { steps } });
    story.update('two');
    story.wait(60);
    expect(story.revisionsOf()).toEqual(['two', 'one', 'one', 'one', 'one']);
    story.approve(2);
    story.wait(30);
    expect(story.revisionsOf()).toEqual(['two', 'two', 'two', 'two', 'two']);
    await tells(story, 'waves');
  });

  const manual: RolloutPolicySpec = {
    steps: [
      { name: 'canary', nodes: 1 },
      { name: 'all', approval: 'Manual' },
    ],
  };
  const ASKS = ['two', 'one', 'one'];

  test('that were approved are asked for again when the change is undone and made again', async () => {
    const story = tellStory({ nodes: ABC, policy: manual });
    story.update('two');
    story.wait(10);
    story.approve(2);
    story.wait(2);
    story.update('one');
    story.wait(10);
    story.approve(2);
    story.wait(60);
    expect(story.record()).toMatchObject({ phase: 'Complete', stable: 'one', attempt: 3 });
    story.update('two');
    story.wait(60);
    expect(story.revisionsOf()).toEqual(ASKS);
    story.approve(2);
    story.wait(60);
    expect(story.record()).toMatchObject({ phase: 'Complete', stable: 'two' });
    await tells(story, 'approved-undone-and-again');
  });

  test('that were approved are asked for again in a retry, and are told why', () => {
    const story = tellStory({ nodes: ABC, policy: { ...manual, failureThreshold: 1 } });
    story.update('two');
    story.wait(10);
    story.approve(2);
    story.wait(2);
    story.break('b');
    story.wait(30);
    story.break('b', false);
    story.wait(60);
    expect(story.record()?.phase).toBe('RolledBack');
    story.retry();
    story.wait(3600);
    expect(story.revisionsOf()).toEqual(ASKS);
    expect(story.text()).toContain(
      'b: step all waits for approval (that of attempt 2 does not count: this is attempt 3)',
    );
  });

  test('a canary that goes unready while it is watched ends it', async () => {
    const story = tellStory({
      nodes,
      labels,
      policy: { steps },
      revisions: { two: 'flaps' },
    });
    story.update('two');
    story.wait(90);
    expect(story.record()?.phase).toBe('RolledBack');
    expect(story.revisionsOf()).toEqual(['one', 'one', 'one', 'one', 'one']);
    await tells(story, 'canary-flaps');
  });

  test('a canary that goes unready again and again in the soak time of its step ends it', () => {
    const policy = { steps: [{ name: 'canary', nodes: 1, soakSeconds: 300 }] };
    const story = tellStory({ nodes, policy });
    story.update('two');
    story.wait(60);
    story.break('a', 'unready');
    story.wait(30);
    story.break('a', false);
    story.wait(30);
    expect(story.record()).toMatchObject({
      phase: 'RolledBack',
      failures: { a: 'it became unavailable while it was watched' },
    });
  });

  test('a node that goes unready after the canary is judged by its own soak time, not by that of the canary', () => {
    const policy = { soakSeconds: 60, steps: [{ name: 'canary', nodes: 1, soakSeconds: 1 }] };
    const story = tellStory({ nodes: ABC, policy });
    story.wait(61);
    story.update('two');
    story.wait(30);
    expect(story.revisionsOf()).toEqual(['two', 'two', 'two']);
    story.break('b', 'unready');
    story.wait(1);
    expect(story.record()).toMatchObject({
      phase: 'RollingBack',
      failures: { b: 'it became unavailable while it was watched' },
    });
  });

  test('a node that joins while the canary is watched gets what is stable', async () => {
    const story = tellStory({ nodes, labels, policy: { steps } });
    story.update('two');
    story.wait(10);
    story.join('aa');
    expect(story.revisionsOf()).toEqual(['two', 'one', 'one', 'one', 'one', 'one']);
    await tells(story, 'join-while-canary');
  });
});

describe('who may not move', () => {
  test('a paused rollout moves nobody, and goes on', async () => {
    const story = tellStory({ nodes: ABC });
    story.update('two');
    story.wait(3);
    story.setPolicy({ paused: true });
    story.wait(3600);
    expect(story.revisionsOf()).toEqual(['two', 'one', 'one']);
    story.setPolicy({});
    story.wait(30);
    expect(story.revisionsOf()).toEqual(['two', 'two', 'two']);
    await tells(story, 'pause');
  });

  test('a closed window holds its node, and no deadline runs', async () => {
    const story = tellStory({ nodes: ABC });
    story.close('b', 'its maintenance window opens at 22:00');
    story.update('two');
    story.wait(3600);
    expect(story.revisionsOf()).toEqual(['two', 'one', 'two']);
    expect(story.record()?.phase).toBe('Progressing');
    story.close('b', undefined);
    story.wait(20);
    expect(story.revisionsOf()).toEqual(['two', 'two', 'two']);
    await tells(story, 'window');
  });

  test('when windows close what was granted is finished, nothing new begins, and no deadline runs', async () => {
    const story = tellStory({ nodes: ABC, policy: { progressDeadlineSeconds: 60 } });
    story.update('two');
    story.wait(8);
    for (const name of ABC) story.close(name, 'its maintenance window opens on Sat 02:00');
    story.wait(3600);
    expect(story.revisionsOf()).toEqual(['two', 'two', 'one']);
    expect(story.record()).toMatchObject({ phase: 'Progressing', failures: {} });
    for (const name of ABC) story.close(name, undefined);
    story.wait(20);
    expect(story.record()).toMatchObject({ phase: 'Complete', stable: 'two' });
    await tells(story, 'window-closes');
  });

  test('a node that is broken while it is held takes up the budget, and no deadline runs', async () => {
    const story = tellStory({ nodes: ABC, policy: { progressDeadlineSeconds: 60 } });
    story.hold('b', 'held by ann until 12:00: its disk is replaced');
    story.break('b');
    story.update('two');
    story.wait(3600);
    expect(story.revisionsOf()).toEqual(['one', 'one', 'one']);
    expect(story.record()).toMatchObject({ phase: 'Progressing', failures: {} });
    story.break('b', false);
    story.hold('b', undefined);
    story.wait(20);
    expect(story.revisionsOf()).toEqual(['two', 'two', 'two']);
    await tells(story, 'held-and-broken');
  });

  test('a node that is held mid-rollout keeps what it runs, the others move on, and it follows', async () => {
    const story = tellStory({ nodes: ABC, policy: { progressDeadlineSeconds: 60 } });
    story.update('two');
    story.wait(3);
    story.hold('b', 'held by ann until 12:00: its disk is replaced');
    story.wait(3600);
    expect(story.revisionsOf()).toEqual(['two', 'one', 'two']);
    expect(story.record()).toMatchObject({ phase: 'Progressing', failures: {} });
    story.hold('b', undefined);
    story.wait(10);
    expect(story.record()).toMatchObject({ phase: 'Complete', stable: 'two' });
    await tells(story, 'held-mid-rollout');
  });

  test('what was granted to a node that turns out to be held is taken back: it fails nothing and blocks nobody', async () => {
    const story = tellStory({ nodes: ABC, policy: { progressDeadlineSeconds: 60 } });
    story.hold('a', 'held by ann until 12:00: its disk is replaced', true);
    story.update('two');
    story.wait(3600);
    expect(story.revisionsOf()).toEqual(['one', 'two', 'two']);
    expect(story.record()).toMatchObject({ phase: 'Progressing', failures: {} });
    story.hold('a', undefined);
    story.wait(10);
    expect(story.revisionsOf()).toEqual(['two', 'two', 'two']);
    await tells(story, 'held-after-the-grant');
  });

  test.each<[string, RolloutPolicySpec]>([
    ['in a later step', { steps: [{ name: 'canary', nodeSelector: { canary: 'yes' } }] }],
    ['in the partition', { partition: 1 }],
  ])(
    'an unready node %s takes up the budget, is named, and stops it at the deadline',
    async (where, policy) => {
      const story = tellStory({ nodes: ABC, labels: { a: { canary: 'yes' } }, policy });
      story.wait(1);
      story.break('c', 'unready');
      story.update('two');
      story.wait(599);
      expect(story.record()).toMatchObject({ phase: 'Progressing', reason: '', failures: {} });
      expect(story.text()).toContain('a: waits for its turn: 1 of at most 1 nodes are unavailable (c)');
      story.wait(1);
      expect(story.revisionsOf()).toEqual(['one', 'one', 'one']);
      expect(story.record()).toMatchObject({
        phase: 'Stopped',
        reason: 'ProgressDeadlineExceeded',
        failures: {},
      });
      expect(story.record()?.message).toContain('c was down before it came');
      story.break('c', false);
      story.retry();
      story.wait(30);
      expect(story.revisionsOf().slice(0, 2)).toEqual(['two', 'two']);
      if (where === 'in a later step') await tells(story, 'unready-in-a-later-step');
    },
  );

  test('a partition keeps the last ones', async () => {
    const story = tellStory({ nodes: ABC, policy: { partition: 1 } });
    story.update('two');
    story.wait(3600);
    expect(story.revisionsOf()).toEqual(['two', 'two', 'one']);
    expect(story.record()?.phase).toBe('Progressing');
    await tells(story, 'partition');
  });

  test('never two nodes of one zone', async () => {
    const zone = (name: string) => ({ zone: name });
    const story = tellStory({
      nodes: ['a', 'b', 'c', 'd'],
      labels: { a: zone('x'), b: zone('x'), c: zone('y'), d: zone('y') },
      policy: { topologyBudgets: [{ topologyKey: 'zone', maxUnavailable: 1 }] },
      maxUnavailable: 4,
    });
    story.update('two');
    expect(story.revisionsOf()).toEqual(['two', 'one', 'two', 'one']);
    story.wait(10);
    expect(story.revisionsOf()).toEqual(['two', 'two', 'two', 'two']);
    await tells(story, 'zones');
  });
});
