// Seats and turns: only so many at once, each user in turn, nobody for ever.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSeats, type Seats } from '../../src/api/seats.ts';
import { createTurns } from '../../src/api/turns.ts';
import { runs } from '../support/fixed-seed.ts';

const never = new AbortController().signal;
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** What becomes of those who ask, in the order in which it does. */
function follow(seats: Seats) {
  const story: string[] = [];
  const leave = new Map<string, () => void>();
  return {
    story,
    ask: (user: string, n: number, signal = never) =>
      seats.take(user, signal).then(
        (go) => {
          story.push(`${user}${n}`);
          leave.set(`${user}${n}`, go);
        },
        (error) => void story.push(`${user}${n}: ${error.code ?? error.message}`),
      ),
    leave: (who: string) => leave.get(who)?.(),
  };
}

describe('seats', () => {
  it('are given to each user in turn, whoever has asked for more', async () => {
    const { story, ask, leave } = follow(createSeats({ total: 1, perUser: 1, queuedPerUser: 9 }, 'requests'));
    for (const n of [1, 2, 3]) void ask('a', n);
    void ask('b', 1);
    void ask('b', 2);
    void ask('c', 1);
    for (const who of ['a1', 'b1', 'c1', 'a2', 'b2', 'a3']) {
      await settled();
      expect(story.at(-1)).toBe(who);
      leave(who);
    }
  });

  it('of one user are few enough that others find some', async () => {
    const { story, ask } = follow(createSeats({ total: 4, perUser: 2, queuedPerUser: 1 }, 'requests'));
    for (const n of [1, 2, 3, 4]) void ask('a', n);
    void ask('b', 1);
    await settled();
    expect(story).toEqual(['a1', 'a2', 'a4: 429', 'b1']);
  });

  it('are not kept for who has left the queue', async () => {
    const { story, ask, leave } = follow(createSeats({ total: 1, perUser: 1, queuedPerUser: 9 }, 'requests'));
    const gone = new AbortController();
    void ask('a', 1);
    void ask('b', 1, gone.signal);
    void ask('c', 1);
    await settled();
    gone.abort(new Error('gone'));
    leave('a1');
    await settled();
    leave('a1');
    expect(story).toEqual(['a1', 'b1: gone', 'c1']);
  });

  it('are never more than there are, and nobody who may sit waits, whatever happens', async () => {
    const users = fc.constantFrom('a', 'b', 'c');
    const deed = fc.record({ user: users, deed: fc.constantFrom('ask', 'leave', 'give up') });
    await fc.assert(
      fc.asyncProperty(fc.array(deed, { maxLength: 60 }), async (deeds) => {
        const limits = { total: 3, perUser: 2, queuedPerUser: 2 };
        const seats = createSeats(limits, 'requests');
        const sitting: { user: string; leave: () => void }[] = [];
        const waiting = new Set<{ user: string; gone: AbortController }>();
        for (const { user, deed } of deeds) {
          if (deed === 'ask') {
            const one = { user, gone: new AbortController() };
            waiting.add(one);
            seats
              .take(user, one.gone.signal)
              .then((leave) => sitting.push({ user, leave }))
              .catch(() => {})
              .finally(() => waiting.delete(one));
          } else if (deed === 'leave') {
            const at = sitting.findIndex((one) => one.user === user);
            if (at >= 0) sitting.splice(at, 1)[0]?.leave();
          } else [...waiting].find((one) => one.user === user)?.gone.abort(new Error('gone'));
          await settled();
          const ofUser = (name: string) => sitting.filter((one) => one.user === name).length;
          expect(sitting.length).toBeLessThanOrEqual(limits.total);
          for (const name of ['a', 'b', 'c']) expect(ofUser(name)).toBeLessThanOrEqual(limits.perUser);
          if (sitting.length < limits.total)
            for (const { user: name } of waiting) expect(ofUser(name)).toBe(limits.perUser);
          expect(seats.counts()).toMatchObject({ taken: sitting.length, waiting: waiting.size });
        }
      }),
      runs(),
    );
  });
});

describe('turns', () => {
  it('come one at a time, to each user in turn, and let the world go on between them', async () => {
    const steps: (() => void)[] = [];
    const turns = createTurns((step) => void steps.push(step));
    const story: string[] = [];
    const work = async (user: string, count: number) => {
      for (let n = 1; n <= count; n++) {
        await turns.take(user);
        story.push(`${user}${n}`);
      }
    };
    void work('a', 3);
    void work('a', 2);
    void work('b', 2);
    while (steps.length > 0) {
      expect(steps).toHaveLength(1);
      steps.shift()?.();
      await settled();
      story.push('|');
    }
    expect(story.join(' ')).toBe('a1 | b1 | a1 | b2 | a2 | a2 | a3 |');
  });
});
