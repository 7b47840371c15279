// Rule 47 as people see it: under OnDelete nothing is said of a rollout that was paced before, and what they do
// themselves is shown for what it is.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { STRATEGIC } from '../support/api-client.ts';
import { createHollowFleet, type HollowFleet, untilRolledOut, untilStatus } from '../support/hollow-fleet.ts';
import { daemonSet, PODS, SETS } from '../support/manifests.ts';
import { placementOf, rolloutOf, setImage, setPolicy, untilPhase } from '../support/rollouts.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';

let plane: TestPlane;
let fleet: HollowFleet;
beforeEach(async () => {
  plane = await startTestPlane();
  fleet = createHollowFleet(plane);
  await fleet.add(2);
});
afterEach(async () => {
  fleet.stop();
  await plane.stop();
});

const setStrategy = (type: 'OnDelete' | 'RollingUpdate') =>
  plane.api.ok(
    'PATCH',
    `${SETS}/web`,
    { spec: { updateStrategy: { $patch: 'replace', type } } },
    { type: STRATEGIC },
  );
const read = () => plane.api.ok('GET', `${SETS}/web`);

it('a DaemonSet that is switched to it says nothing more of a revision that failed', async () => {
  await setPolicy(plane, { failureThreshold: 1, steps: [{ nodes: 1 }] });
  await plane.api.ok('POST', SETS, daemonSet('web', { image: 'web:1' }));
  await untilRolledOut(plane, 'web', 2);
  await untilPhase(plane, 'Complete');
  await setImage(plane, 'crashing:2');
  const { failures, newestRevision: failed } = await untilPhase(plane, 'RolledBack');
  await setStrategy('OnDelete');
  await setImage(plane, 'web:3');
  const { status } = await untilStatus(plane, 'web', { updatedNumberScheduled: 0, numberAvailable: 2 });
  expect(status).not.toHaveProperty('conditions');
  const shown = await rolloutOf(plane);
  expect(shown).toMatchObject({
    phase: 'OnDelete',
    policy: 'updateStrategy OnDelete',
    step: 0,
    failures: {},
  });
  expect(shown.newestRevision).not.toBe(failed);
  expect(shown.targetRevision).toBe(shown.newestRevision);
  const [first = ''] = Object.keys(failures);
  expect((await placementOf(plane, first)).state).toBe('Waiting');
  await setStrategy('RollingUpdate');
  await untilRolledOut(plane, 'web', 2);
  await untilPhase(plane, 'Complete');
  expect((await read()).status.conditions).toMatchObject([
    { type: 'Progressing', reason: 'RolloutComplete' },
  ]);
});

it('one that always was is complete when all nodes have the newest, and not before', async () => {
  await plane.api.ok('POST', SETS, daemonSet('web', { image: 'web:1', strategy: 'OnDelete' }));
  const set = await untilRolledOut(plane, 'web', 2);
  await untilPhase(plane, 'Complete');
  await setImage(plane, 'web:2');
  await untilPhase(plane, 'OnDelete');
  for (const { podOf } of fleet.nodes) {
    expect((await rolloutOf(plane)).phase).toBe('OnDelete');
    await plane.api.ok('DELETE', `${PODS}/${podOf(set.metadata.uid)?.name}`);
  }
  await untilPhase(plane, 'Complete');
  expect((await read()).status).not.toHaveProperty('conditions');
});
