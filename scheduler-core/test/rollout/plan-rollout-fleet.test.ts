// Proves the rollout over time: with reports delayed, lost, doubled and out of order, nodes dying and returning, planes
// restarting and updates in a row, good and bad, the budget holds of what is really so, and all ends well.
import {
  planRollout,
  type RolloutInput,
  type RolloutPlan,
} from '@fleetset/scheduler-core/rollout/plan-rollout';
import type { RolloutNode } from '@fleetset/scheduler-core/rollout/rollout-node';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { holds, isCaught } from '../property.ts';
import {
  believed,
  type FleetEvent,
  type FleetModel,
  happen,
  inputOf,
  isBelievedUp,
  newFleet,
  planPass,
  REVISIONS,
  settle,
  someEvents,
  someFleet,
} from './fleet-model.ts';

type Plan = (input: RolloutInput) => RolloutPlan;

const changed =
  (change: (given: RolloutNode) => RolloutNode): Plan =>
  (given) =>
    planRollout({ ...given, nodes: given.nodes.map(change) });
const takesGrantsForArrivals = changed((one) =>
  one.pod && one.granted !== undefined ? { ...one, pod: { ...one.pod, revision: one.granted } } : one,
);
const trustsStaleReports = changed(({ behind: _ignored, ...one }) => one);
const takesGuessesForFacts = changed((one) =>
  one.pod ? { ...one, pod: { ...one.pod, unknown: false } } : one,
);

/** Live, expected to run, and moved by the rollout without having arrived. Silent nodes are set aside. */
const movedByRollout = ({ nodes }: FleetModel) =>
  nodes.filter(({ moving, alive, lost, decision }) => moving && alive && !lost && decision === 'Run').length;

describe('the budget, of what is really so', () => {
  const kept = (plan: Plan) =>
    fc.property(someFleet, someEvents, (size, events) => {
      const fleet = newFleet(size);
      for (const event of events) {
        if (event[0] !== 'plan') happen(fleet, event);
        else {
          const input = inputOf(fleet);
          const up = new Set(input.nodes.filter(isBelievedUp).map(({ name }) => name));
          const { grants, maxUnavailable } = planPass(fleet, plan);
          if (grants.some(({ node }) => up.has(node)))
            expect(movedByRollout(fleet)).toBeLessThanOrEqual(maxUnavailable);
        }
      }
    });
  /** node-1 is told b and then a again; before it answers, b comes back and node-0 may have it, too. */
  const changedMind: [{ size: number; maxUnavailable: number }, FleetEvent[]] = [
    { size: 2, maxUnavailable: 1 },
    [
      ['leave', 0, 0],
      ['update', 0, 1],
      ['plan', 0, 0],
      ['update', 0, 0],
      ['plan', 0, 0],
      ['come', 0, 0],
      ['update', 0, 1],
      ['plan', 0, 0],
    ],
  ];
  test('no step is taken while as many nodes as the budget allows have not arrived', () => {
    holds(kept(planRollout), 1000, [changedMind]);
  });
  test.each([
    ['that takes a grant for an arrival', takesGrantsForArrivals],
    ['that trusts reports older than what it told', trustsStaleReports],
    ['that takes what an agent does not know for a pod that is down', takesGuessesForFacts],
  ])('a mutant %s is caught', (_what, mutant) => {
    isCaught(kept(mutant), 1000, [changedMind]);
  });
});

describe('the end', () => {
  const arrives = (plan: Plan) =>
    fc.property(someFleet, someEvents, fc.constantFrom('a', 'b'), (size, events, last) => {
      const fleet = newFleet(size);
      for (const event of events) {
        if (event[0] === 'plan') planPass(fleet, plan);
        else happen(fleet, event);
      }
      fleet.target = last as 'a' | 'b';
      for (const node of fleet.nodes) node.held = false;
      settle(fleet, plan);
      for (const node of fleet.nodes) {
        if (node.decision !== 'Run') continue;
        expect(node).toMatchObject({ granted: last, lost: false, moving: false });
        expect(node.pod).toEqual({ revision: last, available: true, deleted: false });
      }
      expect(plan(inputOf(fleet))).toMatchObject({ grants: [], waits: [], unavailable: 0 });
    });
  test('a good revision reaches every node, whatever came before', () => {
    holds(arrives(planRollout), 300);
  });
  test('a mutant that minds the budget for nodes that are down already is caught', () => {
    const stingy: Plan = (given) => {
      const made = planRollout(given);
      return { ...made, grants: made.grants.slice(0, Math.max(0, made.maxUnavailable - made.unavailable)) };
    };
    isCaught(arrives(stingy), 300);
  });

  const goesAround = (plan: Plan) =>
    fc.property(
      fc.integer({ min: 2, max: 5 }),
      fc.nat(4),
      fc.constantFrom(1, '50%'),
      (size, dead, maxUnavailable) => {
        const fleet = newFleet({ size, maxUnavailable });
        const gone = Math.min(dead, size - 1);
        for (let which = 0; which < gone; which++) {
          happen(fleet, ['die', which, 0]);
          happen(fleet, ['fall silent', which, 0]);
        }
        fleet.target = 'b';
        settle(fleet, plan, (node) => node.lost);
        expect(fleet.nodes.map(({ pod }) => pod?.revision)).toEqual(
          fleet.nodes.map((_, which) => (which < gone ? 'a' : 'b')),
        );
      },
    );
  test('nodes that were dead before the update do not stall it', () => {
    holds(goesAround(planRollout), 60);
  });
  test('a mutant that counts every silent node is caught', () => {
    isCaught(
      goesAround(
        changed(({ pod, ...one }) =>
          one.lost ? { ...one, lost: false } : { ...one, ...(pod ? { pod } : {}) },
        ),
      ),
      60,
    );
  });

  const goesOnElsewhere = (plan: Plan) =>
    fc.property(
      fc.integer({ min: 2, max: 5 }),
      fc.nat(4),
      fc.constantFrom(1, '50%'),
      fc.boolean(),
      (size, many, maxUnavailable, before) => {
        const fleet = newFleet({ size, maxUnavailable });
        const held = Math.min(many, size - 1);
        fleet.target = 'b';
        // Some learn of their grant first: what they were granted is taken back.
        if (!before) planPass(fleet, plan);
        for (let which = 0; which < held; which++) happen(fleet, ['hold', which, 0]);
        settle(fleet, plan);
        expect(fleet.nodes.map(({ pod, granted }) => [pod?.revision, granted])).toEqual(
          fleet.nodes.map((_, which) => (which < held ? ['a', 'a'] : ['b', 'b'])),
        );
        expect(plan(inputOf(fleet))).toMatchObject({ grants: [], unavailable: 0 });
        for (const node of fleet.nodes) node.held = false;
        settle(fleet, plan);
        expect(new Set(fleet.nodes.map(({ pod }) => pod?.revision))).toEqual(new Set(['b']));
      },
    );
  test('held nodes keep what they run and take up no budget, and follow when they are released', () => {
    holds(goesOnElsewhere(planRollout), 100);
  });
  test('a mutant that leaves held nodes what they were granted is caught', () => {
    const generous: Plan = (given) => {
      const made = planRollout(given);
      return { ...made, grants: made.grants.filter(({ revision }) => revision === given.target) };
    };
    isCaught(goesOnElsewhere(generous), 100);
  });
  test('a mutant that knows no holds is caught', () => {
    isCaught(goesOnElsewhere(changed(({ held: _ignored, ...one }) => one)), 100);
  });

  const stops = (plan: Plan) =>
    fc.property(
      fc.integer({ min: 2, max: 5 }),
      fc.constantFrom<'c' | 'd'>('c', 'd'),
      fc.constantFrom(1, 2),
      (size, bad, maxUnavailable) => {
        const fleet = newFleet({ size, maxUnavailable });
        fleet.target = bad;
        settle(fleet, plan);
        const moved = fleet.nodes.filter(({ granted }) => granted === bad).length;
        expect(moved).toBe(Math.min(maxUnavailable, size));
        // Rule 39; an image that cannot be pulled takes nobody down.
        expect(fleet.nodes.filter((node) => !believed(node).pod?.available).length).toBe(
          REVISIONS[bad] === 'crashes' ? moved : 0,
        );
      },
    );
  test('rule 39: a bad revision reaches as many nodes as the budget allows, and no more', () => {
    holds(stops(planRollout), 60);
  });
  test('a mutant that takes a grant for an arrival is caught', () => {
    isCaught(stops(takesGrantsForArrivals), 60);
  });
});
