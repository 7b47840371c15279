// Nodes at rest may be given apart, and only the nodes that changed looked at again: it comes to the same as looking at
// every node from nothing, in any one plan and over whole rollouts. Each shortcut is shown to matter by a mutant.
import { type Advance, advanceRollout } from '@fleetset/scheduler-core/rollout/advance-rollout';
import { planRollout, type RolloutInput } from '@fleetset/scheduler-core/rollout/plan-rollout';
import {
  byName,
  byPlace,
  keepNode,
  noNodes,
  type RolloutNodes,
  restingCount,
  restingWith,
  restsOn,
  selectedBy,
  splitNodes,
} from '@fleetset/scheduler-core/rollout/resting-nodes';
import type { RolloutNode } from '@fleetset/scheduler-core/rollout/rollout-node';
import type { RolloutPolicySpec } from '@fleetset/scheduler-core/schema/rollout-policy';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { holds, isCaught } from '../property.ts';
import { tellStory } from './rollout-story.ts';

const revision = fc.constantFrom('old', 'new', 'bad');
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
/** Most are well, so that many rest. */
const mostly = <T>(usual: T, rare: T) => fc.constantFrom(usual, usual, usual, usual, usual, rare);
const someNode = fc
  .record({
    decision: mostly<RolloutNode['decision']>('Run', 'Leave'),
    labels: fc.record({ zone: fc.constantFrom('x', 'y') }),
    connected: mostly(true, false),
    lost: mostly(false, true),
    behind: mostly(false, true),
    surging: mostly(false, true),
    revision,
    moves: mostly(false, true),
    available: mostly(true, false),
    deleted: mostly(false, true),
    unknown: mostly(false, true),
    bare: mostly(false, true),
    held: mostly<string | undefined>(undefined, 'somebody holds it'),
    failing: mostly<string | undefined>(undefined, 'it crashes'),
    beside: mostly<{ revision: string } | undefined>(undefined, { revision: 'new' }),
  })
  .map(
    ({ revision: runs, moves, available, deleted, unknown, bare, held, failing, beside, ...node }) =>
      (name: string): RolloutNode => ({
        ...node,
        name,
        granted: moves ? 'new' : runs,
        ...(bare ? {} : { pod: { revision: runs, available, deleted, unknown } }),
        ...(held ? { held } : {}),
        ...(failing ? { failing } : {}),
        ...(beside ? { beside } : {}),
      }),
  );
const someNodes = fc
  .tuple(...NAMES.map(() => someNode))
  .map((made) => made.map((make, index) => make(NAMES[index] ?? '')));

/** From nothing. */
function splitBy(rests: typeof restsOn, nodes: readonly RolloutNode[]): Required<RolloutNodes> {
  const inOrder = nodes.filter(({ decision }) => decision === 'Run').sort(byName);
  const revisions = [undefined, ...new Set(inOrder.map(rests).filter((on) => on !== undefined))];
  const places = inOrder.map((node) => revisions.indexOf(rests(node)));
  const counts = revisions.map((_one, place) => places.filter((on) => on === place).length);
  const surging = inOrder.filter((node) => node.surging && rests(node) !== undefined).length;
  const lineUp = { inOrder, restsOn: places, revisions, counts, surging, selections: new Map(), texts: {} };
  return { nodes: inOrder.filter((node) => rests(node) === undefined), lineUp };
}

/** `forgets`: what keeps a node from resting, and is overlooked. */
const overlooking =
  (forgets: (node: RolloutNode) => RolloutNode): typeof restsOn =>
  (node) =>
    restsOn(forgets(node));
const OVERLOOKED: [string, typeof restsOn][] = [
  ['that its agent has not answered', overlooking(({ behind: _one, ...node }) => node)],
  ['that it is not connected', overlooking((node) => ({ ...node, connected: true }))],
  ['that it is silent', overlooking((node) => ({ ...node, lost: false }))],
  ['that another pod is beside', overlooking(({ beside: _one, ...node }) => node)],
  ['that it is held', overlooking(({ held: _one, ...node }) => node)],
  [
    'that its pod was deleted',
    overlooking((node) => (node.pod ? { ...node, pod: { ...node.pod, deleted: false } } : node)),
  ],
  [
    'that its pod is not known',
    overlooking((node) => (node.pod ? { ...node, pod: { ...node.pod, unknown: false } } : node)),
  ],
  [
    'that its pod is down',
    overlooking((node) => (node.pod ? { ...node, pod: { ...node.pod, available: true } } : node)),
  ],
];

describe('one plan', () => {
  const someStrategy = fc.constantFrom<RolloutInput['strategy']>(
    { type: 'RollingUpdate', maxUnavailable: 1 },
    { type: 'RollingUpdate', maxUnavailable: '75%' },
    { type: 'RollingUpdate', maxUnavailable: 0, maxSurge: 4 },
    { type: 'OnDelete', maxUnavailable: 1 },
  );
  const someInput = fc.record({
    strategy: someStrategy,
    target: fc.constantFrom('new', 'old'),
    nodes: someNodes,
    holds: fc.constantFrom(
      new Map<string, string>(),
      new Map([
        ['b', 'kept back'],
        ['e', 'kept back'],
      ]),
    ),
    groupBudgets: fc.constantFrom([], [{ topologyKey: 'zone', maxUnavailable: 2 }]),
  });
  const isTheSame = (rests: typeof restsOn) =>
    fc.property(someInput, (input) => {
      expect(planRollout({ ...input, ...splitBy(rests, input.nodes) })).toEqual(planRollout(input));
    });
  test('comes to the same when nodes at rest are given apart', () => {
    holds(isTheSame(restsOn), 3000);
  });
  test('a mutant that forgets whose surge is over is caught', () => {
    isCaught(
      fc.property(someInput, (input) => {
        const { nodes, lineUp } = splitBy(restsOn, input.nodes);
        const forgetful = { ...input, nodes, lineUp: { ...lineUp, surging: 0 } };
        expect(planRollout(forgetful)).toEqual(planRollout(input));
      }),
      3000,
    );
  });
  test.each(OVERLOOKED)('a mutant that overlooks %s is caught', (_what, mutant) => {
    isCaught(isTheSame(mutant), 3000);
  });
});

describe('nodes that come, change and go', () => {
  const SELECTORS = [{ zone: 'x' }, { zone: 'y' }];
  const CLOSED = new Map(['b', 'e', 'g'].map((name) => [name, `${name} is closed`]));
  /** Revisions are numbered as they come. */
  const shown = ({ nodes, lineUp }: Required<RolloutNodes>) => ({
    nodes,
    inOrder: lineUp.inOrder,
    restsOn: lineUp.restsOn.map((place) => lineUp.revisions[place]),
    counts: ['old', 'new', 'bad'].map((one) => restingWith({ nodes, lineUp }, one)),
    atRest: restingCount({ nodes, lineUp }),
    surging: lineUp.surging,
    selected: SELECTORS.map((selector) => selectedBy(lineUp, selector)),
    closed: byPlace(lineUp, CLOSED),
  });
  const someStep = fc.record({ name: fc.constantFrom(...NAMES), make: fc.option(someNode) });
  const areKept = (keep: typeof keepNode) =>
    fc.property(fc.array(someStep, { maxLength: 40 }), (steps) => {
      const kept = noNodes();
      const all = new Map<string, RolloutNode>();
      for (const { name, make } of steps) {
        const node = make?.(name);
        keep(kept, name, node);
        if (node) all.set(name, node);
        else all.delete(name);
        expect(shown(splitNodes(kept))).toEqual(shown(splitBy(restsOn, [...all.values()])));
      }
    });
  test('are kept as if split from nothing', () => {
    holds(areKept(keepNode), 300);
  });
  test('a mutant that keeps a node that belongs there no more is caught', () => {
    isCaught(
      areKept((kept, name, node) => {
        if (node?.decision !== 'Leave') keepNode(kept, name, node);
      }),
      300,
    );
  });
  test('a mutant that forgets who stands where is caught', () => {
    isCaught(
      areKept((kept, name, node) => {
        const { last } = kept.texts;
        delete kept.texts.last;
        keepNode(kept, name, node);
        if (last) kept.texts.last = last;
      }),
      300,
    );
  });
  test('a mutant that forgets that other labels may select a node is caught', () => {
    isCaught(
      areKept((kept, name, node) => {
        const before = [...kept.selections.values()].map(({ isSelected }) => [...isSelected]);
        keepNode(kept, name, node);
        for (const { isSelected } of kept.selections.values()) {
          const known = before.shift();
          if (known?.length === isSelected.length) isSelected.splice(0, known.length, ...known);
        }
      }),
      300,
    );
  });
});

describe('a rollout', () => {
  const REVISIONS = { two: 'good', three: 'crashes', four: 'never ready', five: 'flaps' } as const;
  const someEvent = fc.oneof(
    fc.record({ kind: fc.constant('update'), what: fc.constantFrom('one', ...Object.keys(REVISIONS)) }),
    fc.record({ kind: fc.constant('wait'), seconds: fc.integer({ min: 1, max: 40 }) }),
    fc.record({
      kind: fc.constantFrom('silence', 'return', 'break', 'mend', 'close', 'open', 'hold', 'release'),
      what: fc.constantFrom('a', 'b', 'c', 'd'),
    }),
    fc.record({ kind: fc.constantFrom('pause', 'resume', 'approve', 'retry', 'join', 'restart') }),
  );
  const someRun = fc.record({
    policy: fc.record<RolloutPolicySpec>({
      progressDeadlineSeconds: fc.constantFrom(20, 60),
      failureThreshold: fc.constantFrom(1, 2, '50%'),
      soakSeconds: fc.constantFrom(0, 5),
      onFailure: fc.constantFrom('Rollback', 'Pause', 'Continue'),
      partition: fc.constantFrom(0, 0, '25%'),
      steps: fc.constantFrom(
        [],
        [],
        [{ nodes: 1 }, { nodes: '50%', approval: 'Manual', soakSeconds: 3 }],
        [
          { nodeSelector: { canary: 'true' }, soakSeconds: 3 },
          { nodes: '50%', maxUnavailable: 1 },
        ],
      ),
      topologyBudgets: fc.constantFrom([], [{ topologyKey: 'zone', maxUnavailable: 1 }]),
    }),
    budget: fc.constantFrom({ maxUnavailable: 1 }, { maxUnavailable: '50%' }, { maxSurge: 2 }),
    events: fc.array(someEvent, { maxLength: 25 }),
  });
  type Run = typeof someRun extends fc.Arbitrary<infer R> ? R : never;
  type Story = ReturnType<typeof tellStory>;

  function happen(story: Story, policy: RolloutPolicySpec, event: Run['events'][number], index: number) {
    const what = 'what' in event ? event.what : '';
    const events: { readonly [kind: string]: () => void } = {
      update: () => story.update(what),
      wait: () => story.wait('seconds' in event ? event.seconds : 0),
      silence: () => story.silence(what, true),
      return: () => story.silence(what, false),
      break: () => story.break(what, true),
      mend: () => story.break(what, false),
      close: () => story.close(what, 'its window opens at 2'),
      open: () => story.close(what, undefined),
      hold: () => story.hold(what, 'held by ann'),
      release: () => story.hold(what, undefined),
      pause: () => story.setPolicy({ ...policy, paused: true }),
      resume: () => story.setPolicy(policy),
      approve: () => story.approve(9),
      retry: () => story.retry(),
      join: () => story.join(`n${10 + index}`),
      restart: () => story.restart(),
    };
    events[event.kind]?.();
  }

  const shown = ({ holds: held, times, ...made }: Advance) => ({
    ...made,
    holds: [...held],
    times: {
      ...times,
      grantedAt: new Map(times.grantedAt),
      availableAt: new Map(times.availableAt),
      downSince: new Map(times.downSince),
    },
  });

  /** At every look both ways are gone, one of them on what was kept since the look before. */
  const isTheSame = (lose: (changed: Map<string, RolloutNode>) => void) =>
    fc.property(someRun, ({ policy, budget, events }) => {
      const kept = noNodes();
      const seen = new Map<string, string>();
      const story = tellStory({
        nodes: ['a', 'b', 'c', 'd'],
        labels: {
          a: { zone: 'x' },
          b: { zone: 'x', canary: 'true' },
          c: { zone: 'y' },
          d: { canary: 'true' },
        },
        policy,
        revisions: REVISIONS,
        ...budget,
        advance: (before, times, view) => {
          const news = view.nodes.filter((node) => seen.get(node.name) !== JSON.stringify(node));
          const changed = new Map(news.map((node) => [node.name, node]));
          for (const node of news) {
            seen.set(node.name, JSON.stringify(node));
            keepNode(kept, node.name, node);
          }
          lose(changed);
          const made = advanceRollout(before, times, view);
          const again = advanceRollout(before, times, { ...view, ...splitNodes(kept), changed });
          expect(shown(again)).toEqual(shown(made));
          return made;
        },
        plan: (input) => {
          const made = planRollout(input);
          expect(planRollout({ ...input, ...splitNodes(kept) })).toEqual(made);
          return made;
        },
      });
      events.forEach((event, index) => {
        happen(story, policy, event, index);
      });
    });
  /** Node a falls silent with the update, which fails for it; tried again, a is set aside and has not changed. */
  const triedAgain: [Run] = [
    {
      policy: { progressDeadlineSeconds: 60, failureThreshold: 1, onFailure: 'Pause' },
      budget: { maxUnavailable: '50%' },
      events: [
        { kind: 'update', what: 'two' },
        { kind: 'wait', seconds: 1 },
        { kind: 'silence', what: 'a' },
        { kind: 'wait', seconds: 59 },
        { kind: 'retry' },
      ],
    },
  ];
  test('comes to the same when only what changed is looked at again', () => {
    holds(
      isTheSame(() => {}),
      300,
      [triedAgain],
    );
  });
  test('a mutant that forgets a node that changed is caught', () => {
    isCaught(
      isTheSame((changed) => void changed.delete('b')),
      300,
    );
  });
});
