// Which nodes pull in advance: never more at once than the limit, each once, in the order of their turns, and nobody
// for what is not wanted any more.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pacingOf } from '../../src/rollout/pacing.ts';
import {
  imagesAhead,
  type PrePullFailure,
  type PrePullPlan,
  type PrePullView,
  type PrePullWish,
  planPrePulls,
  prePullFailure,
  wishPrePulls,
} from '../../src/rollout/pre-pull.ts';
import type { RolloutNode } from '../../src/rollout/rollout-node.ts';
import type { RolloutRecord } from '../../src/rollout/rollout-record.ts';
import type { RolloutPolicySpec } from '../../src/schema/rollout-policy.ts';
import { holds, isCaught } from '../property.ts';

const turn = (...names: string[]) => names.map((node) => ({ node }));
const wish = (revision: string, limit: number, ...names: string[]): PrePullWish => ({
  revision,
  limit,
  nodes: turn(...names),
});
const planned = (over: Partial<PrePullView>): PrePullPlan =>
  planPrePulls({
    wishes: new Map(),
    results: new Map(),
    busy: new Map(),
    mayPull: () => true,
    loginOf: () => LOGIN,
    now: 0,
    ...over,
  });
const LOGIN = 'secret=1';
const startsOf = (over: Partial<PrePullView>) =>
  planned(over).starts.map(({ node, set }) => `${node}:${set}`);
const failure = (until: number): PrePullFailure => ({ message: 'no', waitMs: 1, until, login: LOGIN });

describe('who pulls next', () => {
  it('is who comes next, as many as may at once', () => {
    expect(startsOf({ wishes: new Map([['a', wish('2', 2, 'x', 'y', 'z')]]) })).toEqual(['x:a', 'y:a']);
  });

  it('is nobody who has the images, pulls already, or cannot', () => {
    expect(
      startsOf({
        wishes: new Map([['a', wish('2', 3, 'x', 'y', 'z', 'w')]]),
        results: new Map([['a', { revision: '2', done: new Set(['x']), failures: new Map() }]]),
        busy: new Map([['y', { set: 'a', revision: '2' }]]),
        mayPull: (node) => node !== 'z',
      }),
    ).toEqual(['w:a']);
  });

  it('is counted over all DaemonSets, each by its own limit, and a node pulls for one at a time', () => {
    const wishes = new Map([
      ['a', wish('2', 1, 'x', 'y')],
      ['b', wish('7', 3, 'x', 'y', 'z')],
    ]);
    expect(startsOf({ wishes })).toEqual(['x:a', 'y:b', 'z:b']);
  });

  it('is again who failed, when its wait is over', () => {
    const view = {
      wishes: new Map([['a', wish('2', 2, 'x', 'y')]]),
      results: new Map([
        [
          'a',
          {
            revision: '2',
            done: new Set<string>(),
            failures: new Map([
              ['x', failure(500)],
              ['y', failure(700)],
            ]),
          },
        ],
      ]),
    };
    expect(planned({ ...view, now: 499 })).toEqual({ starts: [], ends: [], nextAt: 500 });
    expect(startsOf({ ...view, now: 500 })).toEqual(['x:a']);
    // Another login may do.
    expect(startsOf({ ...view, loginOf: () => 'secret=2', now: 499 })).toEqual(['x:a', 'y:a']);
  });

  it('is anybody again for another revision, and what was begun for the one before is ended', () => {
    const plan = planned({
      wishes: new Map([['a', wish('3', 2, 'x', 'y')]]),
      results: new Map([['a', { revision: '2', done: new Set(['y']), failures: new Map() }]]),
      busy: new Map([['x', { set: 'a', revision: '2' }]]),
    });
    // What ends takes up its place until it has ended.
    expect(plan).toEqual({ starts: [{ node: 'y', set: 'a', revision: '3' }], ends: ['x'] });
  });
});

it('the wait after a failure doubles, from ten seconds to five minutes', () => {
  const waits: number[] = [];
  let last: PrePullFailure | undefined;
  for (let turns = 0; turns < 7; turns++) {
    last = prePullFailure(last, { message: 'no', login: LOGIN }, 1000);
    waits.push((last.until - 1000) / 1000);
  }
  expect(waits).toEqual([10, 20, 40, 80, 160, 300, 300]);
  expect(prePullFailure(last, { message: 'no', login: 'secret=2' }, 1000).waitMs).toBe(10_000);
});

/** Pulls come, end well or ill, and streams break, as dice say; answers the most that ever pulled at once. */
function play(plan: typeof planPrePulls, limit: number, dice: readonly number[]) {
  const names = Array.from({ length: 8 }, (_, index) => `n${index}`);
  const busy = new Map<string, { set: string; revision: string }>();
  const done = new Set<string>();
  const failures = new Map<string, PrePullFailure>();
  const starts = new Map<string, number>();
  let most = 0;
  dice.forEach((throw_, now) => {
    const revision = now < dice.length / 2 ? '1' : '2';
    if (now === Math.ceil(dice.length / 2)) {
      done.clear();
      failures.clear();
    }
    const view = {
      wishes: new Map([['a', wish(revision, limit, ...names)]]),
      results: new Map([['a', { revision, done, failures }]]),
      busy,
      mayPull: () => true,
      loginOf: () => LOGIN,
      now,
    };
    for (const start of plan(view).starts) {
      busy.set(start.node, start);
      const key = `${start.node}/${start.revision}`;
      if (!failures.has(start.node)) starts.set(key, (starts.get(key) ?? 0) + 1);
    }
    most = Math.max(most, busy.size);
    const [node] = [...busy.keys()].slice(throw_ % Math.max(1, busy.size));
    const was = busy.get(node ?? '');
    if (!node || !was) return;
    busy.delete(node);
    if (was.revision !== revision) return;
    if (throw_ % 3 === 0) failures.set(node, { message: 'no', waitMs: 1, until: now + 2, login: LOGIN });
    else done.add(node);
  });
  return { most, starts };
}

describe('however pulls end', () => {
  const property = (plan: typeof planPrePulls) =>
    fc.property(fc.integer({ min: 1, max: 5 }), fc.array(fc.nat(20), { maxLength: 60 }), (limit, dice) => {
      const { most, starts } = play(plan, limit, dice);
      return most <= limit && [...starts.values()].every((count) => count === 1);
    });
  it('no more than the limit pull at once, and who has succeeded is not asked again', () => {
    holds(property(planPrePulls), 300);
  });
  it('is caught when what pulls already is not counted, or who is done is asked again', () => {
    isCaught(
      property((view) => planPrePulls({ ...view, wishes: raised(view.wishes, view.busy.size) })),
      300,
    );
    isCaught(
      property((view) => planPrePulls({ ...view, results: new Map() })),
      300,
    );
  });
});

const raised = (wishes: PrePullView['wishes'], by: number) =>
  new Map([...wishes].map(([set, one]) => [set, { ...one, limit: one.limit + by }]));

describe('what a rollout wants pulled', () => {
  const node = (name: string, labels = {}): RolloutNode => ({
    name,
    labels,
    decision: 'Run',
    connected: true,
    lost: false,
    granted: '1',
    pod: { revision: '1', available: true, deleted: false },
  });
  const NODES = [node('a'), node('b'), node('c', { site: 'lab' })];
  const RECORD: RolloutRecord = {
    newest: '2',
    stable: '1',
    phase: 'Progressing',
    reason: '',
    message: '',
    attempt: 1,
    wave: 0,
    failures: {},
    aside: [],
  };
  const wanted = (spec: Omit<RolloutPolicySpec, 'daemonSets'>, record: RolloutRecord | undefined = RECORD) =>
    wishPrePulls({
      record,
      pacing: pacingOf('test', spec),
      target: '2',
      waits: NODES.map(({ name }) => ({ node: name, reason: 'waits' })),
      fleet: { nodes: NODES },
    });
  const names = (spec: Omit<RolloutPolicySpec, 'daemonSets'>, record?: RolloutRecord) =>
    wanted(spec, record) && [...(wanted(spec, record)?.nodes ?? [])].map(({ node: name }) => name);

  it('is for all that wait, ten at once unless the policy says otherwise', () => {
    expect(names({})).toEqual(['a', 'b', 'c']);
    expect(wanted({})?.limit).toBe(10);
    expect(wanted({ prePull: { maxParallel: 3 } })?.limit).toBe(3);
  });

  it('is for the nodes of the next step first, though it waits for approval', () => {
    expect(names({ steps: [{ nodeSelector: { site: 'lab' }, approval: 'Manual' }] })).toEqual([
      'c',
      'a',
      'b',
    ]);
  });

  it('is not for those that a partition keeps back', () => {
    expect(names({ partition: 1 })).toEqual(['a', 'b']);
  });

  it.each([
    ['while it is paused', { paused: true }, RECORD],
    ['where it is switched off', { prePull: { maxParallel: 0 } }, RECORD],
    ['when it has failed', {}, { ...RECORD, phase: 'RollingBack' as const }],
    ['when it is complete', {}, { ...RECORD, phase: 'Complete' as const }],
  ])('is nothing %s', (_, spec, record) => {
    expect(wanted(spec, record)).toBeUndefined();
  });

  it('is for all where people delete the pods', () => {
    const wished = wishPrePulls({
      record: undefined,
      pacing: pacingOf('test', undefined),
      target: '2',
      waits: [{ node: 'a', reason: 'OnDelete' }],
      fleet: { nodes: NODES },
    });
    expect([...(wished?.nodes ?? [])]).toMatchObject([{ node: 'a' }]);
  });
});

describe('the images of a coming revision', () => {
  const template = (...containers: { image: string; imagePullPolicy: string; init?: boolean }[]) => ({
    spec: {
      initContainers: containers.filter(({ init }) => init).map((one, i) => ({ name: `init-${i}`, ...one })),
      containers: containers.filter(({ init }) => !init).map((one, i) => ({ name: `main-${i}`, ...one })),
    },
  });
  it('are those of init containers too, each once, without those that are there or nobody may pull', () => {
    const next = template(
      { image: 'setup:2', imagePullPolicy: 'IfNotPresent', init: true },
      { image: 'web:2', imagePullPolicy: 'IfNotPresent' },
      { image: 'web:2', imagePullPolicy: 'Always' },
      { image: 'same:1', imagePullPolicy: 'IfNotPresent' },
      { image: 'local:1', imagePullPolicy: 'Never' },
    );
    const now = template({ image: 'same:1', imagePullPolicy: 'IfNotPresent' });
    expect(imagesAhead(next as never, [now as never])).toEqual([
      { image: 'setup:2', pullPolicy: 'IfNotPresent' },
      { image: 'web:2', pullPolicy: 'Always' },
    ]);
  });
  it('are asked for anew where the policy is Always', () => {
    const both = template({ image: 'web:latest', imagePullPolicy: 'Always' });
    expect(imagesAhead(both as never, [both as never])).toEqual([
      { image: 'web:latest', pullPolicy: 'Always' },
    ]);
  });
});
