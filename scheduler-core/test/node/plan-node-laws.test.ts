// Proves the node's planning against an engine where everything fails, ends late, is killed, and forgotten: never two
// pods of a DaemonSet at once, every pod in one bucket, nothing stopped without need, and peace when the faults stop.
import type { NodeAction } from '@fleetset/scheduler-core/node/node-action';
import { planNode } from '@fleetset/scheduler-core/node/plan-node';
import { containerKey, containerNames, HOLDER } from '@fleetset/scheduler-core/node/pod-record';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { holds, isCaught } from '../property.ts';
import {
  happen,
  isToEnd,
  type NodeEvent,
  NodeModel,
  type Planner,
  type Revision,
  someEvents,
  TEMPLATES,
} from './node-model.ts';

const played = (plan: Planner, events: readonly NodeEvent[], mindsTheLook = true): NodeModel => {
  const model = new NodeModel(plan, mindsTheLook);
  for (const event of events) happen(model, event);
  return model;
};

const violates = (kind: RegExp, plan: Planner, mindsTheLook = true) =>
  fc.property(someEvents, (events) => {
    expect(played(plan, events, mindsTheLook).violations.filter((text) => kind.test(text))).toEqual([]);
  });

const inARow = (...kinds: NodeEvent[0][]) => kinds.map((kind): NodeEvent => [kind, 0, 0]);

/** Variants broken in one way each. */
const without =
  (unwanted: (action: NodeAction) => boolean): Planner =>
  (input) => {
    const plan = planNode(input);
    return { ...plan, actions: plan.actions.filter((action) => !unwanted(action)) };
  };

describe('(a) never two pods of one DaemonSet with running containers', () => {
  const TWO = / runs .* and /;
  /** A pod runs, its container dies, and its restart is under way when its successor is ready. */
  const restarting: readonly NodeEvent[] = [
    ...inARow('go on', 'go on', 'go on', 'go on', 'kill'),
    ['grant', 0, 3],
    ...inARow('go on', 'go on'),
    ['finish', 1, 0],
    ['finish', 1, 0],
  ];
  const nextPlan: NodeEvent[] = [...restarting, ['plan', 0, 0], ['finish', 3, 0], ['finish', 0, 0]];
  /** The restart ends between the look and the plan. */
  const lateLook: NodeEvent[] = [...restarting, ...inARow('look', 'finish', 'plan'), ['finish', 2, 0]];
  /** Back and forth between two revisions while the newer pod starts; then that one is deleted. */
  const backAndForth: NodeEvent[] = [
    ...inARow('plan', 'finish'),
    ['grant', 0, 1],
    ...inARow('plan', 'finish', 'finish', 'plan', 'finish'),
    ['grant', 0, 0],
    ...inARow('delete pod', 'plan', 'finish', 'plan'),
    ['finish', 2, 0],
    ...inARow('plan', 'plan'),
  ];
  test('whatever happens', () => {
    holds(violates(TWO, planNode), 700, [[nextPlan], [lateLook], [backAndForth]]);
  });
  test('a mutant that starts what is only prepared is caught', () => {
    const hasty: Planner = (input) => {
      const plan = planNode(input);
      const waiting = new Set(
        plan.pods.filter(({ bucket }) => bucket === 'prepare').map(({ record }) => record.uid),
      );
      const starts = input.containers
        .filter(({ podUid, state }) => waiting.has(podUid) && state === 'created')
        .map(
          ({ id, podUid, name }): NodeAction => ({
            kind: 'start',
            id,
            podUid,
            container: name,
            reason: 'hasty',
          }),
        );
      return { ...plan, actions: [...plan.actions, ...starts] };
    };
    isCaught(violates(TWO, hasty), 1500);
  });
  test('a mutant that forgets starts under way is caught', () => {
    const forgetful: Planner = (input) =>
      planNode({ ...input, busy: new Map([...input.busy].filter(([, kind]) => kind !== 'start')) });
    isCaught(violates(TWO, forgetful), 1, [[nextPlan]]);
  });
  test('an agent that minds only what is under way after the look, not during it, is caught', () => {
    isCaught(violates(TWO, planNode, false), 1, [[lateLook]]);
  });
});

describe('(b) every pod is in exactly one bucket', () => {
  test('whatever happens', () => {
    holds(violates(/^buckets/, planNode), 400);
  });
  test('a mutant that drops those it stops is caught', () => {
    const forgetful: Planner = (input) => {
      const plan = planNode(input);
      return { ...plan, pods: plan.pods.filter(({ bucket }) => bucket !== 'stop') };
    };
    isCaught(violates(/^buckets/, forgetful), 400);
  });
});

describe('(d) no running container is stopped while nothing about it changed', () => {
  const NEEDLESS = /without need/;
  test('whatever happens', () => {
    holds(violates(NEEDLESS, planNode), 400);
  });
  test('a mutant that takes a missing grant for a deletion is caught', () => {
    const strict: Planner = (input) =>
      planNode({ ...input, daemonSets: input.daemonSets.filter(({ granted }) => granted !== undefined) });
    isCaught(violates(NEEDLESS, strict), 400);
  });
  test('a mutant that takes NoSchedule for NoExecute is caught', () => {
    const rough: Planner = (input) => {
      const taints = input.node.taints.map((taint) => ({ ...taint, effect: 'NoExecute' }));
      return planNode({ ...input, node: { ...input.node, taints } });
    };
    isCaught(violates(NEEDLESS, rough), 400);
  });
});

describe('(e) nothing begins before the init containers before it', () => {
  const EARLY = /begins before/;
  /** A pod with init containers runs, and then its holder vanishes. */
  const holderLost: readonly NodeEvent[] = [
    ['grant', 0, 4],
    ...inARow('go on', 'go on', 'go on', 'go on', 'go on', 'go on', 'go on', 'go on', 'go on', 'remove'),
    ...inARow('go on', 'go on', 'go on', 'go on', 'go on', 'go on'),
  ];
  test('whatever happens', () => {
    holds(violates(EARLY, planNode), 400, [[[...holderLost]]]);
  });
  test('a mutant that does not wait for them is caught', () => {
    const hasty: Planner = (input) =>
      planNode({
        ...input,
        pods: input.pods.map((pod) => {
          const { initContainers: _none, ...spec } = pod.template?.spec ?? { containers: [] };
          return { ...pod, template: { spec: { ...spec, hostNetwork: false } } };
        }),
      });
    isCaught(violates(EARLY, hasty), 400, [[[...holderLost]]]);
  });
  test('a mutant that takes what was done on a lost holder for done is caught', () => {
    const forgetful: Planner = (input) => {
      const holders = new Map(
        input.containers
          .filter(({ name, state }) => name === HOLDER && state !== 'exited')
          .map(({ podUid, attempt }) => [podUid, attempt]),
      );
      return planNode({
        ...input,
        containers: input.containers.map((container) =>
          container.state === 'exited' && container.name !== HOLDER
            ? { ...container, holderAttempt: holders.get(container.podUid) ?? 0 }
            : container,
        ),
      });
    };
    isCaught(violates(EARLY, forgetful), 1, [[[...holderLost]]]);
  });
});

describe('a container is never made outside the network of its pod', () => {
  const OUTSIDE = /without the pod's network/;
  /** A container that could not start, and then somebody removes the pod's holder. */
  const holderRemoved: NodeEvent[] = [
    ['grant', 0, 2],
    ...inARow('go on', 'go on', 'go on'),
    ['break start', 0, 2],
    ...inARow('go on', 'go on'),
    ['wait', 2, 0],
    ...inARow('remove', 'go on', 'go on'),
  ];
  test('whatever happens', () => {
    holds(violates(OUTSIDE, planNode), 400, [[holderRemoved]]);
  });
  test('a mutant that does not wait for a new holder is caught', () => {
    const impatient: Planner = (input) => {
      const plan = planNode(input);
      const holders = new Set(
        input.containers.filter(({ name }) => name === HOLDER).map(({ podUid }) => podUid),
      );
      const creates = input.containers
        .filter(({ podUid, holderAttempt }) => holderAttempt !== undefined && !holders.has(podUid))
        .map(
          ({ podUid, name, attempt }): NodeAction => ({
            kind: 'create',
            podUid,
            container: name,
            attempt: attempt + 1,
            reason: 'impatient',
          }),
        );
      return { ...plan, actions: [...plan.actions, ...creates] };
    };
    isCaught(violates(OUTSIDE, impatient), 1, [[holderRemoved]]);
  });
});

describe('(c) when the faults stop', () => {
  const settles = (plan: Planner) =>
    fc.property(someEvents, (events) => {
      const model = played(plan, events);
      const last = model.settle();
      expect(last, 'it comes to rest').toBeDefined();
      expect(last?.actions).toEqual([]);
      expect(model.tombstones.size).toBe(0);
      const pods = [...model.records.values()];
      const own = pods.filter(({ daemonSetUid }) => daemonSetUid === model.setUid);
      expect(own).toEqual(pods);
      if (!model.setIsThere || model.decision === 'Leave') expect([pods, model.containers]).toEqual([[], []]);
      else if (model.decision === 'Run' && model.granted)
        expect(pods.map(({ revision }) => revision)).toEqual([model.granted]);
      else expect(pods.length).toBeLessThanOrEqual(1);
      for (const pod of pods) expectWhole(model, pod);
    });

  /** Each container of the pod runs once; of ended ones at most one is left for `logs --previous`. */
  function expectWhole(model: NodeModel, { uid, revision }: { uid: string; revision: string }) {
    const names = containerNames(TEMPLATES[revision as Revision]);
    for (const name of names) {
      const own = model.containers.filter(
        (container) => container.record.uid === uid && container.name === name,
      );
      const newest = Math.max(...own.map(({ attempt }) => attempt));
      const running = own.filter(({ state }) => state === 'running');
      const toEnd = own.some(isToEnd);
      // Somebody may have removed what an init container left.
      if (own.length === 0 && name === 'prep') continue;
      expect(running.map(({ attempt }) => attempt)).toEqual(toEnd ? [] : [newest]);
      const ended = own.filter(({ state }) => state !== 'running');
      expect(ended.length).toBeLessThanOrEqual(toEnd ? 2 : 1);
      expect(ended.every(({ state }) => state === 'exited')).toBe(true);
    }
    const kept = names.filter((name) => name !== 'prep' || model.containers.some((one) => one.name === name));
    expect(new Set(model.containers.map(({ name }) => name))).toEqual(new Set(kept));
    const holder = model.running().find(({ name }) => name === HOLDER)?.id;
    const joined = model
      .running()
      .flatMap((container) => (container.name === HOLDER ? [] : [container.holder?.id]));
    expect(new Set(joined), 'all on the one network').toEqual(new Set([holder]));
    expect(model.containers.every((container) => container.record.uid === uid)).toBe(true);
  }

  /** The holder vanishes, and what joined it cannot be stopped before there is another. */
  const newNetwork: NodeEvent[] = [
    ['grant', 0, 1],
    ...inARow('go on', 'go on', 'go on', 'go on', 'go on', 'remove', 'plan'),
    ['finish', 1, 6],
  ];
  test('the node comes to rest with what it was told, and plans nothing more', () => {
    holds(settles(planNode), 400, [[newNetwork]]);
  });
  const restartsQuietly = (plan: Planner) =>
    fc.property(someEvents, fc.boolean(), (events, losesRecords) => {
      const model = played(plan, events);
      model.settle();
      model.restartAgent(0, losesRecords);
      expect(model.pass().actions).toEqual([]);
    });
  test('an agent that starts anew finds nothing to do, whether or not it kept its book of pods', () => {
    holds(restartsQuietly(planNode), 300);
  });
  test('a mutant that trusts only what it remembers is caught', () => {
    const wary: Planner = (input) => {
      const plan = planNode(input);
      const stops = input.containers
        .filter(
          ({ podUid, name, state }) => state === 'running' && !input.memory.has(containerKey(podUid, name)),
        )
        .map(
          ({ id, podUid, name }): NodeAction => ({
            kind: 'stop',
            id,
            podUid,
            container: name,
            graceSeconds: 0,
            reason: 'unknown',
          }),
        );
      return { ...plan, actions: [...plan.actions, ...stops] };
    };
    isCaught(restartsQuietly(wary), 300);
  });

  test.each<[string, Planner]>([
    ['that never restarts', without((action) => action.kind === 'create' && action.attempt > 0)],
    ['that keeps what nobody needs', without(({ kind }) => kind === 'remove')],
    ['that forgets no pod', without(({ kind }) => kind === 'forget')],
    [
      'that lets the holder lie',
      without((action) => action.kind === 'create' && action.container === '' && action.attempt > 0),
    ],
  ])('a mutant %s is caught', (_what, mutant) => {
    isCaught(settles(mutant), 400);
  });
});

describe('(h) on a held node what has run is not all stopped', () => {
  const REPLACED = /^held/;
  test('whatever happens', () => {
    holds(violates(REPLACED, planNode), 400);
  });
  test('a mutant that knows no holds is caught', () => {
    isCaught(
      violates(REPLACED, ({ held: _ignored, ...input }) => planNode(input)),
      400,
    );
  });
});
