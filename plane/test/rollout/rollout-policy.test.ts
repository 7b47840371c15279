// RolloutPolicies through the real plane: what fails is rolled back, steps wait for one another and for people, and
// what was decided outlives the plane.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Json, MERGE } from '../support/api-client.ts';
import { createHollowFleet, type HollowFleet, untilQuiet, untilRolledOut } from '../support/hollow-fleet.ts';
import type { HollowNode } from '../support/hollow-node.ts';
import { daemonSet, EVENTS, NODES, REVISIONS, SETS } from '../support/manifests.ts';
import { POLICIES, placementOf, rolloutOf, setImage, setPolicy, untilPhase } from '../support/rollouts.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';

const CAUSE = 'kubernetes.io/change-cause';

let plane: TestPlane;
let fleet: HollowFleet;
beforeEach(async () => {
  plane = await startTestPlane();
  fleet = createHollowFleet(plane);
  await fleet.add(4);
});
afterEach(async () => {
  fleet.stop();
  await plane.stop();
});

const running = async () => {
  await plane.api.ok('POST', SETS, daemonSet('web', { image: 'web:1' }));
  return untilRolledOut(plane, 'web', 4);
};
const annotate = (annotations: Json) =>
  plane.api.ok('PATCH', `${SETS}/web`, { metadata: { annotations } }, { type: MERGE });
const setDeadline = (progressDeadlineSeconds: number) =>
  plane.api.ok('PATCH', `${POLICIES}/careful`, { spec: { progressDeadlineSeconds } }, { type: MERGE });
const condition = async (): Promise<Json> =>
  (await plane.api.ok('GET', `${SETS}/web`)).status.conditions.find(
    ({ type }: Json) => type === 'Progressing',
  );
const touched = (set: Json, times = 1) =>
  fleet.nodes.filter((node) => node.births(set.metadata.uid) > times).length;
const reasons = async (): Promise<string[]> =>
  (await plane.api.ok('GET', EVENTS)).items.map(({ reason }: Json) => reason);

describe('a revision that does not become available', () => {
  it('is rolled back when the deadline has passed, and does not come again by itself', async () => {
    const set = await running();
    await setPolicy(plane, { progressDeadlineSeconds: 1 });
    const stable = (await rolloutOf(plane)).newestRevision;
    const guard = fleet.guard(set);
    await setImage(plane, 'broken:2');
    const status = await untilPhase(plane, 'RolledBack');
    expect(status).toMatchObject({ stableRevision: stable, targetRevision: stable, step: 0 });
    expect(await condition()).toMatchObject({ status: 'False', reason: 'ProgressDeadlineExceeded' });
    await untilQuiet(fleet);
    expect(fleet.nodes.map((node) => node.podOf(set.metadata.uid)?.revision)).toEqual(Array(4).fill(stable));
    expect(touched(set)).toBe(1);
    expect(guard.worst()).toBe(1);
    expect(await reasons()).toEqual(expect.arrayContaining(['RollingBack', 'RolledBack', 'RolloutComplete']));
    const history = (await plane.api.ok('GET', REVISIONS)).items;
    expect(history.map(({ metadata }: Json) => metadata.annotations?.[CAUSE] ?? '')).toContainEqual(
      expect.stringMatching(`^failed, back to ${stable}: `),
    );
    // The plane that comes after it knows the verdict.
    const births = fleet.births(set);
    await plane.restart();
    await until('all are heard', () => fleet.nodes.every(({ name }) => plane.hasHeard(name)));
    await untilQuiet(fleet);
    expect((await rolloutOf(plane)).phase).toBe('RolledBack');
    for (const { name } of fleet.nodes)
      expect((await placementOf(plane, name)).waiting).toMatch(
        /^revision .* has failed: no node came nearer/,
      );
    expect(fleet.births(set)).toEqual(births);
    await annotate({ 'fleetset.dev/retry': `${status.newestRevision}/1` });
    await until('it is tried again', () => touched(set, 3) === 1);
    await untilPhase(plane, 'RolledBack');
    // A good one has all the time that a loaded machine takes.
    await setDeadline(600);
    await setImage(plane, 'web:3');
    await untilRolledOut(plane, 'web', 4);
    expect((await rolloutOf(plane)).phase).toBe('Complete');
    guard.end();
  });

  it('does not come again when the revision that came back is deleted', async () => {
    const set = await running();
    await setPolicy(plane, { progressDeadlineSeconds: 1 });
    await setImage(plane, 'broken:2');
    const { stableRevision: stable } = await untilPhase(plane, 'RolledBack');
    await untilQuiet(fleet);
    const births = fleet.births(set);
    await plane.api.ok('DELETE', `${REVISIONS}/web-${stable}`);
    const status = await untilPhase(plane, 'Stopped');
    expect(status.message).toContain(`${stable}, its way back, was deleted`);
    await untilQuiet(fleet);
    expect(fleet.births(set)).toEqual(births);
    expect((await condition()).message).toMatch(/has stopped, and nothing moves: /);
    expect(await reasons()).toContain('RolloutStopped');
  });

  it('is told beside what people wrote of the change, until a retry has come to all', async () => {
    const set = await running();
    await setPolicy(plane, { progressDeadlineSeconds: 1 });
    await annotate({ [CAUSE]: 'JIRA-1 [hotfix] by ann' });
    await setImage(plane, 'broken:2');
    const { newestRevision: newest, stableRevision: stable } = await untilPhase(plane, 'RolledBack');
    const cause = async () =>
      (await plane.api.ok('GET', `${REVISIONS}/web-${newest}`)).metadata.annotations[CAUSE];
    const verdict = new RegExp(`^JIRA-1 \\[hotfix\\] by ann \\[failed, back to ${stable}: .*\\]$`);
    expect(await cause()).toMatch(verdict);
    await setDeadline(600);
    await annotate({ 'fleetset.dev/retry': `${newest}/1` });
    const heal = ({ podOf, setHealth }: HollowNode) => {
      const pod = podOf(set.metadata.uid);
      if (pod && pod.revision === newest && !pod.available) setHealth(set.metadata.uid, true);
    };
    await until('it is complete', async () => {
      fleet.nodes.forEach(heal);
      return (await rolloutOf(plane)).phase === 'Complete';
    });
    await until('nothing is left of it', async () => (await cause()) === 'JIRA-1 [hotfix] by ann');
  });

  it('stops where it is under onFailure: Pause', async () => {
    const set = await running();
    await setPolicy(plane, { progressDeadlineSeconds: 1, onFailure: 'Pause' });
    await setImage(plane, 'broken:2');
    await untilPhase(plane, 'Stopped');
    await untilQuiet(fleet);
    expect(touched(set)).toBe(1);
    expect(await condition()).toMatchObject({ status: 'False' });
  });
});

describe('what is said meanwhile', () => {
  it('names the node that the others wait for, and why', async () => {
    await setPolicy(plane, { onFailure: 'Continue' });
    await running();
    await setImage(plane, 'crashing:2');
    const why = 'container main crashes again and again (CrashLoopBackOff)';
    const name = fleet.nodes[0]?.name;
    await until('it is said', async () =>
      (await condition()).message.includes(`waiting for ${name}: ${why}; `),
    );
  });
});

describe('a node that failed and is removed from the fleet', () => {
  it('is forgotten with its verdict, for its name may come again', async () => {
    await setPolicy(plane, { onFailure: 'Pause' });
    await running();
    await setImage(plane, 'crashing:2');
    const { failures } = await untilPhase(plane, 'Stopped');
    const [name = ''] = Object.keys(failures);
    fleet.node(name).stop();
    await plane.api.ok('DELETE', `${NODES}/${name}`);
    await until('forgotten', async () => Object.keys((await rolloutOf(plane)).failures).length === 0);
    expect((await rolloutOf(plane)).phase).toBe('Stopped');
  });

  it('counts while the rollout is under way', async () => {
    await setPolicy(plane, { failureThreshold: 2 });
    await running();
    await setImage(plane, 'crashing:2');
    const [name = ''] = await until('one failed', async () => {
      const names = Object.keys((await rolloutOf(plane)).failures ?? {});
      return names.length > 0 ? names : undefined;
    });
    fleet.node(name).stop();
    await plane.api.ok('DELETE', `${NODES}/${name}`);
    const { failures } = await untilPhase(plane, 'RolledBack');
    expect(Object.keys(failures)).toHaveLength(1);
    expect(failures).not.toHaveProperty(name);
  });
});

describe('steps', () => {
  it('come one after the other, and a manual one when somebody approves it', async () => {
    await setPolicy(plane, {
      steps: [
        { name: 'canary', nodes: 1 },
        { name: 'half', nodes: '50%', approval: 'Manual' },
      ],
    });
    const set = await running();
    await setImage(plane, 'web:2');
    const waiting = await until('it waits for approval', async () => {
      const status = await rolloutOf(plane);
      return status.awaitsApproval ? status : undefined;
    });
    expect(waiting).toMatchObject({ phase: 'Progressing', step: 2, stepName: 'half' });
    await untilQuiet(fleet);
    expect(touched(set)).toBe(1);
    expect((await condition()).message).toContain('step half waits for approval');
    await plane.restart();
    await until('all are heard', () => fleet.nodes.every(({ name }) => plane.hasHeard(name)));
    await untilQuiet(fleet);
    expect(touched(set)).toBe(1);
    const approved = { 'fleetset.dev/approved-steps': `${waiting.newestRevision}/2/${waiting.attempt}` };
    await annotate(approved);
    await untilRolledOut(plane, 'web', 4);
    // The same revision once more, with the approval that is still there.
    await setImage(plane, 'web:1');
    await until('the undo waits too', async () => (await rolloutOf(plane)).awaitsApproval);
    await setImage(plane, 'web:2');
    const again = await until('it waits again', async () => {
      const status = await rolloutOf(plane);
      return status.awaitsApproval && status.newestRevision === waiting.newestRevision ? status : undefined;
    });
    expect(again.attempt).toBe(waiting.attempt + 2);
    await until('it is told why', async () =>
      (await condition()).message.includes(
        `waits for approval (that of attempt ${waiting.attempt} does not count: this is attempt ${again.attempt})`,
      ),
    );
  });
});

describe('a pause', () => {
  it('by annotation or by policy moves nobody, and its end goes on', async () => {
    const set = await running();
    await annotate({ 'fleetset.dev/paused': 'true' });
    await setImage(plane, 'web:2');
    await until('it is shown', async () => (await condition()).reason === 'RolloutPaused');
    await untilQuiet(fleet);
    expect(touched(set)).toBe(0);
    await annotate({ 'fleetset.dev/paused': null });
    await untilRolledOut(plane, 'web', 4);
    await setPolicy(plane, { paused: true });
    await setImage(plane, 'web:3');
    await until('it is shown', async () => (await condition()).reason === 'RolloutPaused');
    await untilQuiet(fleet);
    expect(touched(set, 2)).toBe(0);
    await plane.api.ok('DELETE', `${POLICIES}/careful`);
    await untilRolledOut(plane, 'web', 4);
  });
});

describe('a policy that is wrong', () => {
  it('is refused with every field', async () => {
    const { status, json } = await plane.api.call('POST', POLICIES, {
      apiVersion: 'fleetset.dev/v1',
      kind: 'RolloutPolicy',
      metadata: { name: 'wrong' },
      spec: {
        progressDeadlineSeconds: 0,
        failureThreshold: '0%',
        prePull: { maxParallel: -1 },
        steps: [
          { name: 'a', nodes: '101%' },
          { name: 'a', soakSeconds: -1 },
          { name: 'b', maxUnavailable: 0 },
          { name: 'c', maxUnavailable: '0%' },
        ],
        topologyBudgets: [{ topologyKey: 'a b', maxUnavailable: 0 }],
      },
    });
    expect(status).toBe(422);
    expect(json.details.causes.map(({ field }: Json) => field)).toEqual([
      'spec.daemonSets',
      'spec.progressDeadlineSeconds',
      'spec.failureThreshold',
      'spec.prePull.maxParallel',
      'spec.steps[0].nodes',
      'spec.steps[1].name',
      'spec.steps[1].soakSeconds',
      'spec.steps[2].maxUnavailable',
      'spec.steps[3].maxUnavailable',
      'spec.topologyBudgets[0].topologyKey',
      'spec.topologyBudgets[0].maxUnavailable',
    ]);
  });
});
