// Proves a rollout under a surge over time, with all that can come between the plane and its nodes: no node that was
// up goes down for the update, no more nodes than maxSurge run two revisions, and all ends well; and that switching
// the surge on and off in the middle takes no more nodes down than maxUnavailable allows.
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
  type FleetEvent,
  type FleetModel,
  happen,
  inputOf,
  isBelievedUp,
  newFleet,
  planPass,
  quietEvents,
  settle,
  someEvents,
  someSurgingFleet,
} from './fleet-model.ts';

type Plan = (input: RolloutInput) => RolloutPlan;

const changed =
  (change: (given: RolloutNode) => RolloutNode): Plan =>
  (given) =>
    planRollout({ ...given, nodes: given.nodes.map(change) });
const takesGrantsForArrivals = changed((one) =>
  one.pod && one.granted !== undefined ? { ...one, pod: { ...one.pod, revision: one.granted } } : one,
);
const overlooksTheOther = changed(({ beside, ...one }) =>
  beside && one.pod ? { ...one, pod: { ...one.pod, revision: beside.revision } } : one,
);
const forgetsWhoWentDown: Plan = (given) =>
  changed((one) =>
    one.pod && one.granted === given.target ? { ...one, pod: { ...one.pod, available: true } } : one,
  )(given);
const trustsStaleReports = changed(({ behind: _ignored, ...one }) => one);
const doublesTheBudget: Plan = (given) =>
  planRollout({ ...given, strategy: { ...given.strategy, maxSurge: '100%' } });
const forgetsSurges: Plan = (given) => {
  const made = planRollout(given);
  return { ...made, grants: made.grants.map(({ surge: _forgotten, ...grant }) => grant) };
};
const endsSurgesAtOnce: Plan = (given) => {
  const made = planRollout(given);
  if (made.surge) return made;
  const over = given.nodes.flatMap(({ name, surging, granted }) =>
    surging && granted !== undefined ? [{ node: name, revision: granted }] : [],
  );
  return { ...made, over };
};

/** Live, moved while it was up, and two pods are there, or the other one may come. Silent nodes are set aside. */
const underWay = ({ nodes }: FleetModel) =>
  nodes.filter(
    ({ moving, alive, lost, decision, pod, beside, granted }) =>
      moving && alive && !lost && decision === 'Run' && pod && (beside || pod.revision !== granted),
  ).length;

/** Live, and down with what it got, as it has said; it had it when it said so. */
const downWithIt = ({ nodes, target }: FleetModel) =>
  nodes.filter(
    ({ alive, lost, decision, pod, report, granted }) =>
      alive &&
      !lost &&
      decision === 'Run' &&
      granted === target &&
      report?.pod?.revision === target &&
      !report.pod.available &&
      pod?.revision === target &&
      !pod.available,
  ).length;

describe('maxSurge, of what is really so', () => {
  const kept = (plan: Plan) =>
    fc.property(someSurgingFleet, someEvents, (size, events) => {
      const fleet = newFleet(size);
      for (const event of events) {
        if (event[0] !== 'plan') happen(fleet, event);
        else {
          const up = new Set(
            inputOf(fleet)
              .nodes.filter(isBelievedUp)
              .map(({ name }) => name),
          );
          const { grants } = planPass(fleet, plan);
          const { surge } = planRollout(inputOf(fleet));
          if (grants.some(({ node }) => up.has(node)))
            expect(underWay(fleet) + downWithIt(fleet)).toBeLessThanOrEqual(surge?.maxSurge ?? 0);
        }
        expect(
          fleet.nodes.filter(({ struck }) => struck),
          'nobody goes down for the update',
        ).toEqual([]);
      }
    });
  const inARow = (...kinds: (FleetEvent[0] | FleetEvent)[]) =>
    kinds.map((kind): FleetEvent => (typeof kind === 'string' ? [kind, 0, 0] : kind));
  const toB: FleetEvent = ['update', 0, 1];
  type Example = [{ size: number; maxUnavailable: number; maxSurge: number }, FleetEvent[]];
  const two = { size: 2, maxUnavailable: 1, maxSurge: 1 };
  const examples: Example[] = [
    // node-0 has answered, and both run there; or nothing has come beside the old pod yet.
    [two, inARow(toB, 'plan', 'deliver', 'work', 'report', 'take', 'plan')],
    [two, inARow(toB, 'plan', 'deliver', 'report', 'take', 'plan')],
    // node-1 runs both and is told a again; before it answers, b comes back and node-0 may have it, too.
    [
      two,
      inARow(
        ...(['leave', toB, 'plan', ['deliver', 1, 0], ['work', 1, 0]] as const),
        ...(['update', 'plan', 'come', toB, 'plan'] as const),
      ),
    ],
  ];
  test('no step is taken while as many nodes as it allows are being updated or down with it, and nobody goes down', () => {
    holds(kept(planRollout), 1000, examples);
  });
  test.each([
    ['that takes a grant for an arrival', takesGrantsForArrivals],
    ['that takes the new pod for the only one', overlooksTheOther],
    ['that trusts reports older than what it told', trustsStaleReports],
    ['that forgets who went down with the update', forgetsWhoWentDown],
    ['that moves all nodes together', doublesTheBudget],
  ])('a mutant %s is caught', (_what, mutant) => {
    isCaught(kept(mutant), 1000, examples);
  });
});

describe('the end', () => {
  const arrives = (plan: Plan) =>
    fc.property(
      someSurgingFleet,
      fc.oneof(someEvents, quietEvents),
      fc.constantFrom('a', 'b'),
      (size, events, last) => {
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
          expect(node).toMatchObject({
            granted: last,
            lost: false,
            moving: false,
            surging: fleet.surge && node.surging,
          });
          expect(node.beside).toBeUndefined();
          expect(node.pod).toEqual({ revision: last, available: true, deleted: false });
        }
        const { grants, waits, surge, unavailable } = plan(inputOf(fleet));
        expect([grants, waits, surge?.updating ?? 0, unavailable]).toEqual([[], [], 0, 0]);
      },
    );
  test('a good revision reaches every node, whatever came before', () => {
    holds(arrives(planRollout), 400);
  });
  test('a mutant that minds the budget for nodes that are on their way to something else is caught', () => {
    const stingy: Plan = (given) => {
      const made = planRollout(given);
      const left = made.surge ? made.surge.maxSurge - made.surge.updating : made.grants.length;
      return { ...made, grants: made.grants.slice(0, Math.max(0, left)) };
    };
    isCaught(arrives(stingy), 400);
  });

  const stops = (plan: Plan) =>
    fc.property(
      fc.integer({ min: 2, max: 5 }),
      fc.constantFrom<'c' | 'd'>('c', 'd'),
      fc.constantFrom(1, 2),
      (size, bad, maxSurge) => {
        const fleet = newFleet({ size, maxUnavailable: 1, maxSurge });
        fleet.target = bad;
        settle(fleet, plan);
        expect(fleet.nodes.filter(({ granted }) => granted === bad)).toHaveLength(Math.min(maxSurge, size));
        expect(fleet.nodes.every(({ pod }) => pod?.revision === 'a' && pod.available)).toBe(true);
        fleet.target = 'a';
        settle(fleet, plan);
        expect(fleet.nodes.every(({ pod, beside }) => pod?.available && !beside)).toBe(true);
      },
    );
  test('a bad revision comes to as many nodes as the surge allows, stops no pod, and goes again', () => {
    holds(stops(planRollout), 60);
  });
  test('a mutant that takes the new pod for the only one is caught', () => {
    isCaught(stops(overlooksTheOther), 60);
  });
});

describe('a surge that is switched on and off in the middle', () => {
  const kept = (plan: Plan) =>
    fc.property(someSurgingFleet, quietEvents, (size, events) => {
      const fleet = newFleet(size);
      for (const event of events) {
        if (event[0] === 'plan') planPass(fleet, plan);
        else happen(fleet, event);
        const struck = fleet.nodes.filter((node) => node.struck).map(({ name }) => name);
        expect(struck.length).toBeLessThanOrEqual(size.maxUnavailable);
      }
    });
  const exchange = (...which: number[]) => which.map((one): FleetEvent => ['exchange', one, 0]);
  /** Both nodes surge to what never comes up; then the surge is over, and a better revision comes. */
  const off: [{ size: number; maxUnavailable: number; maxSurge: number }, FleetEvent[]] = [
    { size: 2, maxUnavailable: 1, maxSurge: 2 },
    [
      ['update', 0, 2],
      ['plan', 0, 0],
      ...exchange(0, 1, 0, 1),
      ['switch', 0, 0],
      ['plan', 0, 0],
      ...exchange(0, 1, 0, 1),
      ['update', 0, 1],
      ['plan', 0, 0],
      ...exchange(0, 1),
    ],
  ];
  test('no more nodes go down than maxUnavailable allows', () => {
    holds(kept(planRollout), 1000, [off]);
  });
  test.each([
    ['that forgets what began as a surge', forgetsSurges],
    ['that ends surges where they stand', endsSurgesAtOnce],
  ])('a mutant %s is caught', (_what, mutant) => {
    isCaught(kept(mutant), 1000, [off]);
  });
});
