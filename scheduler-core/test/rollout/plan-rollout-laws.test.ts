// Proves laws of one plan for any fleet whatever: the budget is never overspent, the plan is complete, repeating it
// grants nothing more, and OnDelete leaves live pods alone.
import {
  planRollout,
  type RolloutInput,
  type RolloutPlan,
} from '@fleetset/scheduler-core/rollout/plan-rollout';
import type { RolloutNode } from '@fleetset/scheduler-core/rollout/rollout-node';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { holds, isCaught } from '../property.ts';

type Plan = (input: RolloutInput) => RolloutPlan;

const revision = fc.constantFrom('old', 'new', 'bad');
const node = fc.record(
  {
    decision: fc.constantFrom<RolloutNode['decision']>('Run', 'Run', 'Run', 'Keep', 'Leave'),
    connected: fc.boolean(),
    lost: fc.boolean(),
    behind: fc.boolean(),
    granted: revision,
    held: fc.constant('somebody holds it'),
    pod: fc.record({ revision, available: fc.boolean(), deleted: fc.boolean() }),
  },
  { requiredKeys: ['decision', 'connected', 'lost'] },
);
const nodes = fc
  .array(node, { maxLength: 8 })
  .map((list) =>
    list.map(
      (one, index): RolloutNode => ({ ...one, connected: one.connected && !one.lost, name: `n${index}` }),
    ),
  );
const input = fc.record({
  strategy: fc.record({
    type: fc.constantFrom<RolloutInput['strategy']['type']>('RollingUpdate', 'RollingUpdate', 'OnDelete'),
    maxUnavailable: fc.constantFrom<number | string>(0, 1, 2, 3, '10%', '50%', '100%'),
  }),
  target: fc.constant('new'),
  nodes,
});

/** By the issue: live nodes that are unavailable or in flight, and nodes that went silent after they got the newest. */
function spends(one: RolloutNode, target: string): boolean {
  if (one.decision !== 'Run') return false;
  if (one.lost) return one.granted === target;
  if (one.behind || !one.pod) return true;
  const inFlight = one.granted !== undefined && one.granted !== one.pod.revision;
  return inFlight || !one.pod.available || one.pod.deleted;
}

/** The grants carried out: told to their nodes, which have not answered yet. */
const granting = ({ nodes: list }: RolloutInput, { grants }: RolloutPlan): RolloutNode[] =>
  list.map((one) => {
    const grant = grants.find(({ node: name }) => name === one.name);
    return grant ? { ...one, granted: grant.revision, behind: true } : one;
  });

/** Variants broken in one way each. */
const changed =
  (change: (given: RolloutNode, whole: RolloutInput) => RolloutNode): Plan =>
  (given) =>
    planRollout({ ...given, nodes: given.nodes.map((one) => change(one, given)) });
const forgetsInFlight = changed((one) => (one.pod ? { ...one, granted: one.pod.revision } : one));
const forgetsTheSilent = changed((one, { target }) =>
  one.granted === target && one.lost ? { ...one, granted: 'old' } : one,
);
const trustsStaleReports = changed(({ behind: _ignored, ...one }) => one);
const alwaysRolls: Plan = (given) =>
  planRollout({ ...given, strategy: { ...given.strategy, type: 'RollingUpdate' } });
const grantsTheDeaf = changed((one) => ({ ...one, connected: true }));

describe('the budget', () => {
  const kept = (plan: Plan) =>
    fc.property(input, (given) => {
      const made = plan(given);
      const before = given.nodes.filter((one) => spends(one, given.target)).length;
      const after = granting(given, made).filter((one) => spends(one, given.target)).length;
      // A grant that spends is never made when it would bring the count above the budget.
      if (after > before) expect(after).toBeLessThanOrEqual(made.maxUnavailable);
      expect(made.unavailable).toBe(before);
    });
  test('is never overspent', () => {
    holds(kept(planRollout), 1500);
  });
  test.each([
    ['that forgets nodes in flight', forgetsInFlight],
    ['that forgets nodes silent since they got the newest', forgetsTheSilent],
    ['that trusts reports older than what it told', trustsStaleReports],
  ])('a mutant %s is caught', (_what, mutant) => {
    isCaught(kept(mutant), 1500);
  });
});

describe('completeness', () => {
  const complete = (plan: Plan) =>
    fc.property(input, (given) => {
      const made = plan(given);
      const kept = new Set(
        given.nodes.filter(({ pod, held }) => held && pod && !pod.deleted).map(({ name }) => name),
      );
      const updates = made.grants.filter(({ node: name }) => !kept.has(name));
      // One that waits may be granted something else meanwhile.
      const named = [...new Set([...updates, ...made.waits].map(({ node: name }) => name))].sort();
      const outdated = given.nodes.filter(
        (one) => one.decision === 'Run' && (one.granted ?? one.pod?.revision) !== given.target,
      );
      expect(named).toEqual(outdated.map(({ name }) => name).sort());
      for (const { node: name } of made.grants) {
        const one = given.nodes.find((candidate) => candidate.name === name);
        expect(one).toMatchObject({ connected: true, lost: false });
      }
      for (const { reason } of [...made.grants, ...made.waits]) expect(reason).not.toBe('');
      expect(plan({ ...given, nodes: [...given.nodes].reverse() })).toEqual(made);
    });
  test('each node not on the newest is granted or told why not; only who listens is granted; their order means nothing', () => {
    holds(complete(planRollout), 800);
  });
  test('a mutant that grants who does not listen is caught', () => {
    isCaught(complete(grantsTheDeaf), 800);
  });
});

describe('a hold', () => {
  const kept = (plan: Plan) =>
    fc.property(input, (given) => {
      for (const { node: name, revision: to } of plan(given).grants) {
        const one = given.nodes.find((candidate) => candidate.name === name);
        if (one?.held && one.pod && !one.pod.deleted) expect(to).toBe(one.pod.revision);
      }
    });
  test('lets a node be granted nothing but what it runs', () => {
    holds(kept(planRollout), 800);
  });
  test('a mutant that knows no holds is caught', () => {
    isCaught(kept(changed(({ held: _ignored, ...one }) => one)), 800);
  });
});

describe('repeated', () => {
  const settled = (plan: Plan) =>
    fc.property(input, (given) => {
      const again = { ...given, nodes: granting(given, plan(given)) };
      expect(plan(again).grants).toEqual([]);
    });
  test('over its own result it grants nothing more', () => {
    holds(settled(planRollout), 800);
  });
  test('a mutant that forgets nodes in flight is caught', () => {
    isCaught(settled(forgetsInFlight), 800);
  });
});

describe('OnDelete', () => {
  const leavesAlone = (plan: Plan) =>
    fc.property(input, (given) => {
      const onDelete: RolloutInput = { ...given, strategy: { ...given.strategy, type: 'OnDelete' } };
      for (const { node: name, revision: to } of plan(onDelete).grants) {
        const one = given.nodes.find((candidate) => candidate.name === name);
        expect(one?.pod === undefined || one.pod.deleted || one.pod.revision === to).toBe(true);
      }
    });
  test('never grants a node with a live, undeleted pod another revision', () => {
    holds(leavesAlone(planRollout), 800);
  });
  test('a mutant that rolls all the same is caught', () => {
    isCaught(leavesAlone(alwaysRolls), 800);
  });
});
