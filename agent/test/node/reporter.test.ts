// When a report is sent: new content soon, together and once; unchanged content never; all of it to a new listener.
import type { NodeReport } from '@fleetset/proto/gen/fleetset/v1/node';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type AgentEvents, createAgentEvents } from '../../src/node/agent-events.ts';
import type { BuiltReport } from '../../src/node/build-report.ts';
import { createReporter, type Reporter } from '../../src/node/reporter.ts';

let sent: NodeReport[];
let failures: unknown[];
/** By the clock, beside what the timers have seen pass. */
let took: number;
let events: AgentEvents;
let reporter: Reporter;
let state: {
  label: string;
  settled: boolean;
  busy: number;
  listening: boolean;
  againInMs?: number;
  built: number;
  buildMs: number;
  broken: boolean;
};

beforeEach(() => {
  vi.useFakeTimers();
  [sent, failures, took] = [[], [], 0];
  const now = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => now() + took);
  events = createAgentEvents();
  state = { label: 'a', settled: true, busy: 0, listening: true, built: 0, buildMs: 0, broken: false };
  reporter = createReporter({
    build: (): BuiltReport => {
      state.built += 1;
      took += state.buildMs;
      if (state.broken) throw new Error('cannot be built');
      const report: NodeReport = {
        generation: undefined,
        facts: {
          labels: { label: state.label },
          taints: [],
          statusJson: '',
          holds: [],
          maintenance: undefined,
        },
        placements: [],
        pods: [],
        events: [],
      };
      return { report, ...(state.againInMs === undefined ? {} : { againInMs: state.againInMs }) };
    },
    events,
    settled: () => state.settled,
    busy: () => state.busy,
    listening: () => state.listening,
    send: (report) => sent.push(report),
    onFailure: (error) => failures.push(error),
  });
});
afterEach(() => {
  reporter.stop();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const labels = () => sent.map(({ facts }) => facts?.labels.label);
const change = (label: string) => {
  state.label = label;
  reporter.changed();
};
const passMs = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe('a report', () => {
  it('is one for many changes that come together, and has the last of them', async () => {
    for (const label of ['b', 'c', 'd']) change(label);
    await passMs(100);
    expect(labels()).toEqual(['d']);
  });

  it('that takes long is followed by a rest, half a second at most', async () => {
    for (const [buildMs, restMs] of [
      [20, 120],
      [1000, 500],
    ] as const) {
      state.buildMs = buildMs;
      change(`first, ${buildMs}`);
      await passMs(5);
      expect(labels().at(-1)).toBe(`first, ${buildMs}`);
      change(`second, ${buildMs}`);
      await passMs(restMs - 1);
      expect(labels().at(-1)).toBe(`first, ${buildMs}`);
      await passMs(1);
      expect(labels().at(-1)).toBe(`second, ${buildMs}`);
      await passMs(1000);
    }
  });

  it('waits longer while much is being done, and no longer for what is done besides', async () => {
    state.busy = 1;
    for (const label of ['b', 'c', 'd']) {
      change(label);
      await passMs(49);
    }
    expect(labels()).toEqual([]);
    await passMs(3);
    expect(labels()).toEqual(['d']);
    change('e');
    state.busy = 0;
    change('f');
    await passMs(5);
    expect(labels()).toEqual(['d', 'f']);
    await passMs(1000);
    expect(labels()).toEqual(['d', 'f']);
  });

  it.each([
    [11, 250],
    [50, 600],
    [200, 600],
  ])('waits the longer the more is being done: %i things, %i ms', async (busy, ms) => {
    state.busy = busy;
    change('b');
    await passMs(ms - 1);
    expect(labels()).toEqual([]);
    await passMs(2);
    expect(labels()).toEqual(['b']);
  });

  it('that cannot wait does not, nor does one for a new listener; what waits at the end is sent', async () => {
    state.buildMs = 1000;
    change('a rest begins');
    await passMs(5);
    change('soon');
    reporter.soon();
    await passMs(1);
    expect(labels().at(-1)).toBe('soon');
    change('heard');
    reporter.connected();
    await passMs(1);
    expect(labels().at(-1)).toBe('heard');
    change('at the end');
    expect(labels().at(-1)).toBe('heard');
    reporter.stop();
    expect(labels().at(-1)).toBe('at the end');
    const count = sent.length;
    reporter.stop();
    await passMs(2000);
    expect(sent).toHaveLength(count);
  });

  it('with unchanged content is not sent again, however often something may have changed', async () => {
    for (let times = 0; times < 50; times++) {
      reporter.changed();
      await passMs(1000);
    }
    expect(labels()).toEqual(['a']);
    change('b');
    await passMs(100);
    change('a');
    await passMs(100);
    expect(labels()).toEqual(['a', 'b', 'a']);
  });

  it('goes whole to every new listener', async () => {
    reporter.changed();
    await passMs(100);
    reporter.connected();
    await passMs(100);
    expect(labels()).toEqual(['a', 'a']);
  });

  // Made it is: that is how it is noticed since when each pod is ready.
  it('is not sent while nobody listens', async () => {
    state.listening = false;
    for (let times = 0; times < 50; times++) {
      change(`label-${times}`);
      await passMs(1000);
    }
    expect([sent, state.built]).toEqual([[], 50]);
    state.listening = true;
    reporter.connected();
    await passMs(100);
    expect(labels()).toEqual(['label-49']);
  });

  it('waits until what ran before has been asked how it is, but not for ever', async () => {
    state.settled = false;
    reporter.changed();
    await passMs(1000);
    expect(sent).toEqual([]);
    state.settled = true;
    await passMs(100);
    expect(labels()).toEqual(['a']);
    state.settled = false;
    change('b');
    await passMs(6000);
    expect(labels()).toEqual(['a', 'b']);
  });

  it('is looked at again when the mere passing of time changes it (rule 48)', async () => {
    state.againInMs = 30_000;
    reporter.changed();
    await passMs(29_000);
    state.label = 'available';
    delete state.againInMs;
    await passMs(2000);
    expect(labels()).toEqual(['a', 'available']);
  });

  it('that changes by itself only in months is not looked at without end', async () => {
    state.againInMs = 5_000_000_000;
    reporter.changed();
    await passMs(10_000);
    expect(state.built).toBe(1);
  });

  it('that cannot be made is told, and the next one is made', async () => {
    state.broken = true;
    reporter.changed();
    await passMs(100);
    expect(failures).toHaveLength(1);
    state.broken = false;
    reporter.changed();
    await passMs(100);
    expect(labels()).toEqual(['a']);
  });

  it('is made no more when the agent has stopped', async () => {
    reporter.stop();
    reporter.changed();
    reporter.connected();
    await passMs(1000);
    expect(sent).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('events', () => {
  const say = (message: string) => events.add({ type: 'Normal', reason: 'Test', message });
  const told = () => sent.map((report) => report.events.map(({ message }) => message));

  it('make a report of their own, each once, numbered', async () => {
    reporter.changed();
    await passMs(100);
    say('one');
    say('two');
    reporter.changed();
    await passMs(100);
    reporter.changed();
    await passMs(100);
    expect(told()).toEqual([[], ['one', 'two']]);
    expect(sent[1]?.events.map(({ sequence }) => sequence)).toEqual([1, 2]);
  });

  it('that may have been lost with the connection are told again, under the same number; older ones are not', async () => {
    say('old');
    reporter.changed();
    await passMs(60_000);
    say('just before');
    reporter.changed();
    await passMs(1000);
    say('while nobody listened');
    reporter.connected();
    await passMs(100);
    expect(told()).toEqual([['old'], ['just before'], ['just before', 'while nobody listened']]);
    expect(sent[2]?.events.map(({ sequence }) => sequence)).toEqual([2, 3]);
  });

  it('of a long absence are kept, but not without limit: the oldest go', async () => {
    state.listening = false;
    for (let number = 1; number <= 700; number++) say(String(number));
    state.listening = true;
    reporter.connected();
    await passMs(100);
    expect(sent[0]?.events).toHaveLength(500);
    expect(told()[0]?.at(-1)).toBe('700');
  });

  it('name the pod, the set and the container they are about', async () => {
    events.add({
      type: 'Warning',
      reason: 'R',
      message: 'm',
      podUid: 'p',
      daemonSetUid: 'd',
      container: 'app',
    });
    expect(events.take()).toEqual([
      {
        sequence: 1,
        type: 'Warning',
        reason: 'R',
        message: 'm',
        podUid: 'p',
        daemonSetUid: 'd',
        fieldPath: 'spec.containers{app}',
      },
    ]);
    expect(events.waiting()).toBe(false);
  });
});
