// Events on their way to the plane: each is told at least once, also when the connection breaks.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type AgentEvents, createAgentEvents } from '../../src/node/agent-events.ts';

let events: AgentEvents;
beforeEach(() => {
  vi.useFakeTimers();
  events = createAgentEvents();
});
afterEach(() => {
  vi.useRealTimers();
});

const say = (message: string) => events.add({ type: 'Normal', reason: 'Test', message });
const take = () => events.take().map(({ message }) => message);
const passSeconds = (seconds: number) => vi.advanceTimersByTime(seconds * 1000);

describe('a new listener', () => {
  it('is told again all that went out a moment ago, however many reports that were, in their order', () => {
    for (const message of ['one', 'two', 'three']) {
      say(message);
      passSeconds(10);
      expect(take()).toEqual([message]);
      // A report without news does not make the others old.
      expect(take()).toEqual([]);
    }
    say('four');
    events.repeat();
    expect(take()).toEqual(['one', 'two', 'three', 'four']);
  });

  it('is told once more what the one before it was told again', () => {
    say('one');
    take();
    events.repeat();
    expect(take()).toEqual(['one']);
    events.repeat();
    expect(take()).toEqual(['one']);
  });

  it('is not told again what is old by now', () => {
    say('old');
    take();
    passSeconds(30);
    say('new');
    take();
    passSeconds(30);
    events.repeat();
    expect(take()).toEqual(['new']);
  });
});
