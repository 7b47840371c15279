// When each probe of a container is asked, and what the answers make of it (rules 85 to 92), by a faked clock.
import type { ProbeKind } from '@fleetset/scheduler-core/probe-state';
import type { Container, Probe } from '@fleetset/scheduler-core/schema/container';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createProber, type ProbedContainer, type Prober } from '../../src/probes/prober.ts';
import type { ProbeAnswer } from '../../src/probes/run-probe.ts';

const GOOD: ProbeAnswer = { outcome: 'success', message: '' };
const BAD: ProbeAnswer = { outcome: 'failure', message: 'refused' };
const UNKNOWN: ProbeAnswer = { outcome: 'error', message: 'could not be run' };

let asked: string[];
let failed: string[];
let changes: number;
let prober: Prober;
let answerOf: (kind: ProbeKind, turn: number) => ProbeAnswer | Promise<ProbeAnswer>;

/** The path tells which probe it is. */
const probe = (kind: ProbeKind, over: Probe = {}): Probe => ({
  httpGet: { path: kind, port: 80 },
  periodSeconds: 10,
  ...over,
});

const target = (container: Partial<Container>, over: Partial<ProbedContainer> = {}): ProbedContainer => ({
  containerId: 'id-1',
  podUid: 'pod',
  container: { name: 'app', ...container },
  ranForMs: 0,
  readopted: false,
  wasReady: false,
  ending: false,
  ...over,
});

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
  const start = performance.now();
  [asked, failed, changes] = [[], [], 0];
  const turns = new Map<string, number>();
  answerOf = () => GOOD;
  prober = createProber({
    run: async ({ containerId }, { httpGet }) => {
      const kind = httpGet?.path as ProbeKind;
      const turn = (turns.get(containerId + kind) ?? 0) + 1;
      turns.set(containerId + kind, turn);
      asked.push(`${kind}@${Math.round((performance.now() - start) / 1000)}`);
      return answerOf(kind, turn);
    },
    onChange: () => {
      changes += 1;
    },
    onFailed: (_target, kind, message) => failed.push(`${kind}: ${message}`),
  });
});
afterEach(() => {
  prober.stop();
  vi.useRealTimers();
});

const passSeconds = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1000);
const health = () => prober.healthOf('id-1');

describe('before the first answer (rule 85)', () => {
  it.each<[string, Partial<Container>, object]>([
    ['without probes it is started and ready', {}, { started: true, ready: true }],
    [
      'with a readiness probe it is not ready',
      { readinessProbe: probe('readiness') },
      { started: true, ready: false },
    ],
    [
      'with a liveness probe it is well',
      { livenessProbe: probe('liveness') },
      { started: true, ready: true },
    ],
    [
      'with a startup probe it has not started',
      { startupProbe: probe('startup') },
      { started: false, ready: false },
    ],
  ])('%s', (_name, container, wanted) => {
    prober.sync([target(container)]);
    expect(health()).toEqual(wanted);
  });

  it('a container that is not known is not probed', () => {
    expect(health()).toBeUndefined();
  });
});

describe('times', () => {
  it('a probe is asked at once and then each period', async () => {
    prober.sync([target({ readinessProbe: probe('readiness', { periodSeconds: 3 }) })]);
    await passSeconds(7);
    expect(asked).toEqual(['readiness@0', 'readiness@3', 'readiness@6']);
  });

  it('the first delay counts from the start of the container, not from when it was seen', async () => {
    const readinessProbe = probe('readiness', { initialDelaySeconds: 30 });
    prober.sync([target({ readinessProbe }, { ranForMs: 20_000 })]);
    await passSeconds(15);
    expect(asked).toEqual(['readiness@10']);
  });

  it('a period of months is one', async () => {
    prober.sync([target({ readinessProbe: probe('readiness', { periodSeconds: 5_000_000 }) })]);
    await passSeconds(100);
    expect(asked).toEqual(['readiness@0']);
  });

  it('a slow answer delays the next question', async () => {
    answerOf = () => new Promise((resolve) => setTimeout(() => resolve(GOOD), 15_000));
    prober.sync([target({ readinessProbe: probe('readiness') })]);
    await passSeconds(30);
    expect(asked).toEqual(['readiness@0', 'readiness@25']);
  });
});

describe('readiness', () => {
  it('turns with its thresholds, both ways, and each turn is told once (rule 86)', async () => {
    answerOf = (_kind, turn) => (turn <= 3 ? GOOD : BAD);
    prober.sync([
      target({
        readinessProbe: probe('readiness', { periodSeconds: 1, successThreshold: 2, failureThreshold: 3 }),
      }),
    ]);
    const ready: (boolean | undefined)[] = [];
    for (let second = 0; second < 7; second++) {
      await passSeconds(second === 0 ? 0 : 1);
      ready.push(health()?.ready);
    }
    expect(ready).toEqual([false, true, true, true, true, false, false]);
    // The first answer, ready, not ready.
    expect(changes).toBe(3);
  });

  it('is not changed by what could not be asked (rule 87)', async () => {
    answerOf = (_kind, turn) => (turn === 1 ? GOOD : UNKNOWN);
    prober.sync([target({ readinessProbe: probe('readiness', { periodSeconds: 1, failureThreshold: 1 }) })]);
    await passSeconds(20);
    expect(health()?.ready).toBe(true);
  });

  it('failures are told with their reason, from the second period on', async () => {
    answerOf = () => BAD;
    prober.sync([target({ readinessProbe: probe('readiness') })]);
    await passSeconds(9.9);
    expect(failed).toEqual([]);
    await passSeconds(0.2);
    expect(failed).toEqual(['readiness: refused']);
  });

  it('what has just started is asked sooner than each period, until it is ready or a period is over', async () => {
    answerOf = () => BAD;
    prober.sync([target({ readinessProbe: probe('readiness') })]);
    await passSeconds(31);
    expect(asked.map((text) => text.split('@')[1])).toEqual('0 0 0 1 2 3 6 10 20 30'.split(' '));
  });

  it('what was ready is asked by its period, also when it is not ready any more', async () => {
    answerOf = (_kind, turn) => (turn <= 2 ? [BAD, GOOD][turn - 1] : BAD) as ProbeAnswer;
    prober.sync([target({ readinessProbe: probe('readiness', { failureThreshold: 1 }) })]);
    await passSeconds(31);
    expect(asked.map((text) => text.split('@')[1])).toEqual('0 0 10 20 30'.split(' '));
    expect(failed).toHaveLength(3);
  });

  it('what ran before the agent did is asked by its period', async () => {
    answerOf = () => BAD;
    prober.sync([target({ readinessProbe: probe('readiness') }, { readopted: true, ranForMs: 60_000 })]);
    await passSeconds(11);
    expect(asked).toEqual(['readiness@0', 'readiness@10']);
  });
});

describe('startup goes before the others (rule 88)', () => {
  it('which begin at once when it has passed, and it is not asked again (rule 92)', async () => {
    answerOf = (kind, turn) => (kind === 'startup' && turn < 4 ? BAD : GOOD);
    prober.sync([
      target({
        startupProbe: probe('startup', { periodSeconds: 2, failureThreshold: 10 }),
        livenessProbe: probe('liveness', { periodSeconds: 100 }),
        readinessProbe: probe('readiness', { periodSeconds: 100 }),
      }),
    ]);
    await passSeconds(30);
    expect(asked).toEqual(['startup@0', 'startup@2', 'startup@4', 'startup@6', 'liveness@6', 'readiness@6']);
    expect(health()).toEqual({ started: true, ready: true });
  });

  it('a first delay that is over by then is over', async () => {
    answerOf = (kind, turn) => (kind === 'startup' && turn < 4 ? BAD : GOOD);
    prober.sync([
      target({
        startupProbe: probe('startup', { failureThreshold: 10 }),
        readinessProbe: probe('readiness', { initialDelaySeconds: 25 }),
        livenessProbe: probe('liveness', { initialDelaySeconds: 35 }),
      }),
    ]);
    await passSeconds(36);
    expect(asked.slice(4)).toEqual(['readiness@30', 'liveness@35']);
  });

  it('and when it fails for good the container is to be restarted, and is asked nothing more (rule 89)', async () => {
    answerOf = () => BAD;
    prober.sync([
      target({ startupProbe: probe('startup', { failureThreshold: 2 }), readinessProbe: probe('readiness') }),
    ]);
    await passSeconds(60);
    expect(asked).toEqual(['startup@0', 'startup@10']);
    expect(health()).toEqual({ started: false, ready: false, unhealthy: 'startup' });
  });
});

describe('liveness (rule 89)', () => {
  const livenessProbe = probe('liveness', { failureThreshold: 3 });

  it('holds after its verdict until there is another container, which begins anew', async () => {
    answerOf = () => BAD;
    prober.sync([target({ livenessProbe })]);
    await passSeconds(100);
    expect(asked).toEqual(['liveness@0', 'liveness@10', 'liveness@20']);
    expect(health()?.unhealthy).toBe('liveness');
    prober.sync([target({ livenessProbe }, { containerId: 'id-2' })]);
    expect(health()).toBeUndefined();
    expect(prober.healthOf('id-2')).toEqual({ started: true, ready: true });
    await passSeconds(15);
    expect(asked.slice(3)).toEqual(['liveness@100', 'liveness@110']);
    expect(prober.healthOf('id-2')?.unhealthy).toBeUndefined();
  });

  it('one good answer begins the count anew', async () => {
    answerOf = (_kind, turn) => (turn % 3 === 0 ? GOOD : BAD);
    prober.sync([target({ livenessProbe })]);
    await passSeconds(300);
    expect(health()?.unhealthy).toBeUndefined();
  });
});

describe('a pod that is being ended (rule 91)', () => {
  it('is asked for readiness only, and not for a restart', async () => {
    answerOf = () => BAD;
    const container = {
      livenessProbe: probe('liveness', { failureThreshold: 2 }),
      readinessProbe: probe('readiness', { failureThreshold: 1 }),
    };
    prober.sync([target(container)]);
    await passSeconds(1);
    prober.sync([target(container, { ending: true })]);
    await passSeconds(30);
    expect(asked.filter((line) => line.startsWith('liveness'))).toEqual(['liveness@0']);
    expect(asked.filter((line) => line.startsWith('readiness')).length).toBeGreaterThan(2);
    expect(health()).toEqual({ started: true, ready: false });
  });

  it('that was found unhealthy before is not called so any more', async () => {
    answerOf = () => BAD;
    const container = { livenessProbe: probe('liveness', { failureThreshold: 1 }) };
    prober.sync([target(container)]);
    await passSeconds(1);
    expect(health()?.unhealthy).toBe('liveness');
    prober.sync([target(container, { ending: true })]);
    expect(health()?.unhealthy).toBeUndefined();
  });

  it('while it was still starting counts as started', async () => {
    answerOf = (kind) => (kind === 'startup' ? BAD : GOOD);
    const container = {
      startupProbe: probe('startup', { failureThreshold: 9 }),
      readinessProbe: probe('readiness'),
    };
    prober.sync([target(container)]);
    await passSeconds(1);
    prober.sync([target(container, { ending: true })]);
    await passSeconds(30);
    expect(asked.filter((line) => line.startsWith('startup'))).toEqual(['startup@0']);
    expect(health()).toEqual({ started: true, ready: true });
  });
});

describe('a container that ran before the agent did', () => {
  const container = {
    startupProbe: probe('startup'),
    readinessProbe: probe('readiness', { successThreshold: 3, initialDelaySeconds: 600 }),
  };
  const readopted = target(container, { readopted: true, ranForMs: 3_600_000 });

  it('is asked at once, has started, and is ready by its first good answer', async () => {
    prober.sync([readopted]);
    expect(prober.settled()).toBe(false);
    await passSeconds(0);
    expect(asked).toEqual(['readiness@0']);
    expect(prober.settled()).toBe(true);
    expect(health()).toEqual({ started: true, ready: true });
  });

  it('is settled as well when the answer is bad, and then needs its whole row of good ones', async () => {
    answerOf = (_kind, turn) => (turn === 1 ? BAD : GOOD);
    prober.sync([readopted]);
    await passSeconds(0);
    expect(prober.settled()).toBe(true);
    await passSeconds(20);
    expect(health()?.ready).toBe(false);
    await passSeconds(10);
    expect(health()?.ready).toBe(true);
  });

  it('and was ready, is until it has failed as often as it may', async () => {
    answerOf = (_kind, turn) => (turn === 3 ? GOOD : BAD);
    const probes = {
      startupProbe: probe('startup'),
      readinessProbe: probe('readiness', { failureThreshold: 3 }),
    };
    prober.sync([target(probes, { readopted: true, wasReady: true, ranForMs: 5000 })]);
    expect(prober.isKnown('id-1')).toBe(false);
    await passSeconds(11);
    expect([prober.isKnown('id-1'), health()]).toEqual([true, { started: true, ready: true }]);
    await passSeconds(30);
    expect(health()?.ready).toBe(true);
    await passSeconds(10);
    expect([asked.length, health()?.ready]).toEqual([6, false]);
  });

  it('but only just, may be starting still: it is not judged by its liveness before it has started', async () => {
    answerOf = (kind, turn) => (kind === 'startup' && turn > 2 ? GOOD : BAD);
    const starting = {
      startupProbe: probe('startup', { failureThreshold: 30 }),
      livenessProbe: probe('liveness', { failureThreshold: 1 }),
      readinessProbe: probe('readiness'),
    };
    prober.sync([target(starting, { readopted: true, ranForMs: 60_000 })]);
    await passSeconds(15);
    expect(asked).toEqual(['startup@0', 'startup@10']);
    expect(prober.settled()).toBe(true);
    expect(health()).toEqual({ started: false, ready: false });
    await passSeconds(10);
    expect(asked).toEqual(['startup@0', 'startup@10', 'startup@20', 'liveness@20', 'readiness@20']);
  });

  it.each(['startup', 'liveness'] as const)(
    'is not asked for its %s before its first delay is over, and is not ended for it (rule 90)',
    async (kind) => {
      answerOf = () => (performance.now() - begin < 50_000 ? BAD : GOOD);
      const begin = performance.now();
      const delayed = probe(kind, { initialDelaySeconds: 120, failureThreshold: 1 });
      prober.sync([target({ [`${kind}Probe`]: delayed }, { readopted: true, ranForMs: 60_000 })]);
      expect(prober.settled()).toBe(true);
      await passSeconds(59);
      expect([asked, health()?.unhealthy]).toEqual([[], undefined]);
      await passSeconds(2);
      expect([asked, health()?.unhealthy]).toEqual([[`${kind}@60`], undefined]);
    },
  );

  it('without a readiness probe is settled from the beginning', () => {
    prober.sync([target({ livenessProbe: probe('liveness') }, { readopted: true })]);
    expect(prober.settled()).toBe(true);
  });
});

describe('leaving', () => {
  it('a container that is gone is asked no more, and an answer that comes late counts for nothing', async () => {
    answerOf = () => new Promise((resolve) => setTimeout(() => resolve(BAD), 5000));
    prober.sync([target({ readinessProbe: probe('readiness') })]);
    await passSeconds(1);
    prober.sync([]);
    await passSeconds(60);
    expect(asked).toEqual(['readiness@0']);
    expect([changes, failed]).toEqual([0, []]);
  });

  it('leaves no timer behind', async () => {
    prober.sync([
      target({
        readinessProbe: probe('readiness'),
        livenessProbe: probe('liveness'),
        startupProbe: probe('startup'),
      }),
    ]);
    await passSeconds(1);
    prober.stop();
    expect(vi.getTimerCount()).toBe(0);
  });
});
