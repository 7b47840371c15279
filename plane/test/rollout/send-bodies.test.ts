// What goes ahead of what names it: the same message to all that lack the same, and nothing large.
import { describe, expect, it } from 'vitest';
import type { Session } from '../../src/fleet/fleet.ts';
import { createBodyBook } from '../../src/rollout/body-book.ts';
import { createSendAhead } from '../../src/rollout/send-bodies.ts';

type Message = Parameters<Session['send']>[0];

const bodies = createBodyBook();
const small = bodies.hashOf({ small: 1 });
const other = bodies.hashOf({ other: 'x'.repeat(8000) });
const third = bodies.hashOf({ third: 'x'.repeat(9000) });
const large = bodies.hashOf({ large: 'x'.repeat(20_000) });

function listener() {
  const heard: Message[] = [];
  const session = { send: (message: Message) => void heard.push(message) } as Partial<Session> as Session;
  return { session, heard };
}
const hashesIn = (heard: readonly Message[]) =>
  heard.map((one) => (one.$case === 'bodies' ? one.value.bodies.map(({ hash }) => hash) : one.$case));

describe('bodies that go ahead', () => {
  it.each<[string, readonly string[], readonly (readonly string[])[]]>([
    ['those that fit', [small, other], [[small, other]]],
    ['not one that is large', [large, small], [[small]]],
    ['not more than have room together', [other, third, small], [[other, small]]],
    ['none', [], []],
    ['not what is not known any more', ['f'.repeat(64)], []],
  ])('are %s', (_what, hashes, expected) => {
    const { session, heard } = listener();
    createSendAhead(bodies)(session, hashes);
    expect(hashesIn(heard)).toEqual(expected);
  });

  it('are one message for all who lack the same', () => {
    const [first, second] = [listener(), listener()];
    const sendAhead = createSendAhead(bodies);
    for (const { session } of [first, second]) sendAhead(session, [small, other]);
    expect(first.heard).toHaveLength(1);
    expect(second.heard[0]).toBe(first.heard[0]);
  });
});
