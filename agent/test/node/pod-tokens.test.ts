// The tokens of a node's pods: asked once, kept, renewed in time, and what a pod has while the plane says nothing.
import type { TokenWanted } from '@fleetset/proto/gen/fleetset/v1/node';
import { renewAfterMs } from '@fleetset/scheduler-core/node/account-tokens';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createPodTokens, type PodTokens } from '../../src/node/pod-tokens.ts';
import { openTokenFile, type TokenFile } from '../../src/state/token-file.ts';
import { tempDirectory } from '../temp-directory.ts';

const REF = { audience: '', expirationSeconds: 3607 };
const LIFE_MS = 3_607_000;
const POD = 'uid-1';

let directory: string;
let file: TokenFile;
let asked: TokenWanted[];
let refused: string[];
let changes: number;
let connected: boolean;
let wallMs: number;
let tokens: PodTokens;

beforeEach(async () => {
  directory = await tempDirectory();
  file = await openAgain();
  vi.useFakeTimers();
  [asked, refused, changes, connected, wallMs] = [[], [], 0, true, 1_900_000_000_000];
  tokens = start();
});
afterEach(async () => {
  await tokens.stop();
  vi.useRealTimers();
});

const openAgain = () =>
  openTokenFile(directory, (error) => {
    throw error;
  });
const start = (from: TokenFile = file) =>
  createPodTokens({
    file: from,
    ask: (wanted) => asked.push(wanted),
    connected: () => connected,
    monotonicNow: () => performance.now(),
    wallNow: () => wallMs,
    onChange: () => {
      changes += 1;
    },
    onRefused: (_pod, why) => refused.push(why),
    onFailure: (error) => {
      throw error;
    },
  });
const pass = (ms: number) => {
  wallMs += ms;
  vi.advanceTimersByTime(ms);
  tokens.sync(new Set([POD]));
};
const give = (token: string, more: object = {}) =>
  tokens.issued({ podUid: POD, ...REF, token, lifetimeMs: LIFE_MS, failure: '', ...more });
const has = () => {
  const found = tokens.of(POD)(REF);
  return typeof found === 'string' ? found : found.token;
};

describe('a token', () => {
  it('is asked for once, and had when it comes', () => {
    expect([has(), has()]).toEqual(['untold', 'untold']);
    tokens.sync(new Set([POD]));
    expect(asked).toEqual([{ podUid: POD, ...REF }]);
    const before = [tokens.stateOf(POD, REF), changes];
    give('one');
    expect([has(), changes]).toEqual(['one', (before[1] as number) + 1]);
    expect(tokens.stateOf(POD, REF)).not.toBe(before[0]);
  });

  it('is renewed in time, and stays until the next one comes', () => {
    has();
    give('one');
    pass(renewAfterMs(LIFE_MS, 0) - 1);
    expect(asked).toHaveLength(1);
    pass(renewAfterMs(LIFE_MS, 1) - renewAfterMs(LIFE_MS, 0) + 1);
    expect([asked.length, has()]).toEqual([2, 'one']);
    give('two');
    expect(has()).toBe('two');
    pass(60_000);
    expect(asked).toHaveLength(2);
  });

  it('is renewed at once when the machine slept for long, or its clock was set back', () => {
    has();
    give('one');
    wallMs += LIFE_MS;
    pass(1);
    expect(asked).toHaveLength(2);
    give('two');
    wallMs -= 10 * LIFE_MS;
    pass(1);
    expect(asked).toHaveLength(3);
  });

  it('is asked for again over a new stream', () => {
    has();
    tokens.connectedAnew();
    expect(asked).toHaveLength(2);
    give('one');
    tokens.connectedAnew();
    expect(asked).toHaveLength(2);
  });

  it('that is refused is waited for, told, and asked for again', () => {
    has();
    give('', { failure: 'serviceaccounts "bot" not found' });
    expect([refused, has()]).toEqual([['serviceaccounts "bot" not found'], 'untold']);
    pass(60_000);
    expect([asked.length, has()]).toEqual([2, 'untold']);
    give('one');
    expect(has()).toBe('one');
  });

  it('of a pod that is gone is forgotten, and no late answer brings it back', async () => {
    has();
    give('one');
    tokens.sync(new Set());
    give('two');
    await tokens.stop();
    connected = false;
    tokens = start(await openAgain());
    expect(has()).toBe('untold');
  });
});

describe('who waits for tokens', () => {
  const waits = async (doing: () => void) => {
    let over = false;
    const waiting = tokens.settled(POD, [REF]).then(() => {
      over = true;
    });
    await vi.advanceTimersByTimeAsync(0);
    const before = over;
    doing();
    await vi.advanceTimersByTimeAsync(0);
    const after = over;
    await vi.advanceTimersByTimeAsync(1000);
    await waiting;
    return [before, after];
  };

  it.each<[string, () => void]>([
    ['has them as soon as they come', () => give('one')],
    ['hears as soon that there is none', () => give('', { failure: 'no' })],
  ])('%s', async (_case, answer) => {
    expect(await waits(answer)).toEqual([false, true]);
  });

  it('waits no longer than a plane takes that is there', async () => {
    expect(await waits(() => {})).toEqual([false, false]);
  });

  it('does not wait for what is there, nor for a plane that is away', async () => {
    has();
    give('one');
    expect(await waits(() => {})).toEqual([true, true]);
    connected = false;
    tokens.sync(new Set());
    expect(await waits(() => {})).toEqual([true, true]);
  });
});

describe('while the plane says nothing', () => {
  it('a pod waits ten seconds, and then may do without', () => {
    expect(has()).toBe('untold');
    pass(9_999);
    expect([has(), changes]).toEqual(['untold', 0]);
    pass(1);
    expect([has(), changes]).toEqual(['none', 1]);
    give('late');
    expect(has()).toBe('late');
  });

  it('a pod that is born later need not wait', () => {
    connected = false;
    pass(10_000);
    expect([has(), asked]).toEqual(['none', []]);
    connected = true;
    tokens.connectedAnew();
    expect(asked).toHaveLength(1);
  });

  it('a pod has what it had, over a restart and past its time', async () => {
    has();
    give('one');
    await tokens.stop();
    connected = false;
    wallMs += 10 * LIFE_MS;
    tokens = start(await openAgain());
    expect([has(), asked.length]).toEqual(['one', 1]);
    connected = true;
    tokens.connectedAnew();
    expect(asked).toHaveLength(2);
  });
});
