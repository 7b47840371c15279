// Proves what a row of probe outcomes means: thresholds, what is known before the first, and what follows for the
// container (rules 85 to 92).
import {
  afterOutcome,
  containerHealth,
  initialDelayMs,
  initialProbeState,
  type ProbeKind,
  type ProbeOutcome,
  type ProbeState,
  periodMs,
  timeoutMs,
} from '@fleetset/scheduler-core/probe-state';
import type { Probe } from '@fleetset/scheduler-core/schema/container';
import { describe, expect, test } from 'vitest';

const LETTERS: { readonly [letter: string]: ProbeOutcome } = { s: 'success', f: 'failure', e: 'error' };

/** The result after each outcome; + success, - failure, ? unknown. */
function results(kind: ProbeKind, outcomes: string, probe: Probe): string {
  let state = initialProbeState(kind);
  let shown = sign(state);
  for (const letter of outcomes) {
    state = afterOutcome(state, probe, LETTERS[letter] ?? 'error');
    shown += sign(state);
  }
  return shown;
}
const sign = ({ result }: ProbeState) => ({ success: '+', failure: '-', unknown: '?' })[result];

describe('rules 85 to 87: the result before the first outcome and after each', () => {
  test.each<[string, ProbeKind, number | undefined, number | undefined, string, string]>([
    ['rule 85: readiness begins as failure', 'readiness', 1, 3, 's', '-+'],
    ['rule 85: liveness begins as success', 'liveness', 1, 3, 'fff', '+++-'],
    ['rule 85: startup begins as unknown', 'startup', 1, 3, 'ffs', '???+'],
    ['rule 86: failures count only in a row', 'liveness', 1, 3, 'ffsffsfff', '+++++++++-'],
    ['rule 86: successes count only in a row', 'readiness', 2, 3, 'sfssff', '----+++'],
    [
      'rule 86: a contrary outcome below its threshold resets the run',
      'readiness',
      3,
      2,
      'ssfsss',
      '------+',
    ],
    ['rule 86: a readiness lost comes back at its threshold', 'readiness', 2, 2, 'ssffss', '--++--+'],
    ['rule 87: errors count for nothing', 'liveness', 1, 3, 'feefef', '++++++-'],
    ['rule 87: an error does not break a run of successes', 'readiness', 2, 3, 'ses', '---+'],
    [
      'rule 74: by default one success and three failures',
      'readiness',
      undefined,
      undefined,
      'sffsfff',
      '-++++++-',
    ],
  ])('%s', (_sentence, kind, successThreshold, failureThreshold, outcomes, shown) => {
    const probe: Probe = {
      ...(successThreshold === undefined ? {} : { successThreshold }),
      ...(failureThreshold === undefined ? {} : { failureThreshold }),
    };
    expect(results(kind, outcomes, probe)).toBe(shown);
  });
});

describe('rules 88 to 92: the container', () => {
  const state = (result: ProbeState['result']): ProbeState => ({ result, inRow: 1 });
  test.each<[string, Parameters<typeof containerHealth>[0], ReturnType<typeof containerHealth>]>([
    ['without probes is started and ready', {}, { started: true, ready: true }],
    ['waits for its readiness', { readiness: state('failure') }, { started: true, ready: false }],
    ['is ready when readiness says so', { readiness: state('success') }, { started: true, ready: true }],
    [
      'rule 88: has not started before its startup probe says so, and is not ready whatever readiness said',
      { startup: state('unknown'), readiness: state('success') },
      { started: false, ready: false },
    ],
    [
      'rule 89: that did not start has to be restarted',
      { startup: state('failure') },
      { started: false, ready: false, unhealthy: 'startup' },
    ],
    [
      'rule 89: whose liveness failed has to be restarted, and is not unready for it',
      { liveness: state('failure') },
      { started: true, ready: true, unhealthy: 'liveness' },
    ],
    [
      'has one reason to be restarted, startup first',
      { startup: state('failure'), liveness: state('failure') },
      { started: false, ready: false, unhealthy: 'startup' },
    ],
    [
      'is alive as long as nothing is known',
      { liveness: initialProbeState('liveness') },
      { started: true, ready: true },
    ],
  ])('%s', (_sentence, states, health) => {
    expect(containerHealth(states)).toEqual(health);
  });
});

test('rule 74: what a probe leaves out', () => {
  expect([initialDelayMs({}), periodMs({}), timeoutMs({})]).toEqual([0, 10_000, 1000]);
  const probe = { initialDelaySeconds: 5, periodSeconds: 2, timeoutSeconds: 3 };
  expect([initialDelayMs(probe), periodMs(probe), timeoutMs(probe)]).toEqual([5000, 2000, 3000]);
});
