// Facts begin with what is known at once, and become better and newer while the agent runs.
import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createFacts, type FactSources } from '../../src/facts/kept-facts.ts';
import type { AskedFacts, MachineFacts } from '../../src/facts/machine-facts.ts';

const AT_ONCE: MachineFacts = {
  ip: undefined,
  cpus: 2,
  memoryBytes: 2 ** 30,
  diskBytes: 2 ** 40,
  osImage: '',
  kernelVersion: '6.1',
  architecture: 'amd64',
  operatingSystem: 'linux',
  machineId: 'm',
  bootId: 'b',
  systemUuid: '',
};

let address: string | undefined;
let answer: () => Promise<AskedFacts>;
let asked: number;
let changes: number;
let leaving: AbortController;

beforeEach(() => {
  vi.useFakeTimers();
  [address, asked, changes] = [undefined, 0, 0];
  answer = async () => ({ osImage: 'Debian', systemUuid: 'u' });
  leaving = new AbortController();
});
afterEach(() => {
  leaving.abort();
  vi.useRealTimers();
});

const keep = () => {
  const sources: FactSources = {
    atOnce: () => ({ ...AT_ONCE, ip: address }),
    address: () => address,
    ask: () => {
      asked += 1;
      return answer();
    },
  };
  const facts = createFacts(sources);
  facts.keep(leaving.signal, () => {
    changes += 1;
  });
  return facts;
};
const passSeconds = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1000);

describe('facts', () => {
  it('are there at once, also while the machine never answers', async () => {
    answer = () => new Promise(() => {});
    const facts = keep();
    await passSeconds(10_000);
    expect(facts.now()).toEqual(AT_ONCE);
    expect([asked, changes]).toEqual([1, 0]);
  });

  it('are not asked for while the node starts its first pods', async () => {
    keep();
    await passSeconds(0.9);
    expect(asked).toBe(0);
    await passSeconds(0.2);
    expect(asked).toBe(1);
  });

  it('are filled in when the machine answers, and asked again in an hour', async () => {
    const facts = keep();
    await passSeconds(1);
    expect(facts.now()).toEqual({ ...AT_ONCE, osImage: 'Debian', systemUuid: 'u' });
    await passSeconds(3590);
    expect([asked, changes]).toEqual([1, 1]);
    await passSeconds(20);
    expect(asked).toBe(2);
  });

  it('that were not all told are asked sooner, and what is known is not lost', async () => {
    answer = async () => {
      if (asked === 1) throw new Error('it was killed');
      return asked === 2 ? { osImage: 'Debian' } : asked < 5 ? { systemUuid: 'u' } : { osImage: 'new' };
    };
    const facts = keep();
    await passSeconds(100);
    expect(facts.now()).toEqual({ ...AT_ONCE, osImage: 'Debian' });
    await passSeconds(60);
    expect(facts.now()).toEqual({ ...AT_ONCE, osImage: 'Debian', systemUuid: 'u' });
    await passSeconds(120);
    expect(facts.now()).toEqual({ ...AT_ONCE, osImage: 'new', systemUuid: 'u' });
  });

  it('have an address that comes late, changes or goes, within seconds, and tell of it once', async () => {
    const facts = keep();
    await passSeconds(60);
    for (const [next, withinSeconds] of [
      ['10.0.0.5', 4],
      ['10.0.0.6', 11],
      [undefined, 11],
    ] as const) {
      address = next;
      const before = changes;
      await passSeconds(withinSeconds);
      expect([facts.now().ip, changes - before]).toEqual([next, 1]);
      await passSeconds(60);
      expect(changes - before).toBe(1);
    }
    expect(asked).toBe(1);
  });

  it('are kept for days without a listener more, and not at all when the agent has stopped', async () => {
    keep();
    await passSeconds(200_000);
    expect(getEventListeners(leaving.signal, 'abort')).toHaveLength(2);
    leaving.abort();
    const before = asked;
    await passSeconds(200_000);
    expect(asked).toBe(before);
    expect([vi.getTimerCount(), getEventListeners(leaving.signal, 'abort')]).toEqual([0, []]);
  });
});
