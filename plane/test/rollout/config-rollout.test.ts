// A change of config as a rollout, through the real plane: paced, rolled back when it is bad, undone by people, and
// switched on and off without a restart.
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Json, MERGE, STRATEGIC } from '../support/api-client.ts';
import { createHollowFleet, type HollowFleet, untilQuiet, untilRolledOut } from '../support/hollow-fleet.ts';
import { configMap, daemonSet, REVISIONS, SETS } from '../support/manifests.ts';
import { POLICIES, rolloutOf, setImage, setPolicy, untilPhase } from '../support/rollouts.ts';
import { startClock, type TestClock } from '../support/test-clock.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';
const CAUSE = 'kubernetes.io/change-cause';

let clock: TestClock;
let plane: TestPlane;
let fleet: HollowFleet;
let uid = '';
beforeEach(async () => {
  clock = startClock();
  plane = await startTestPlane({ monotonicNow: clock.now });
  fleet = createHollowFleet(plane);
  await fleet.add(4);
  for (const name of ['app', 'more']) await plane.api.ok('POST', MAPS, configMap(name, { [name]: 'one' }));
});
afterEach(async () => {
  fleet.stop();
  expect(plane.complaints).toEqual([]);
  await plane.stop();
});

const container = {
  name: 'main',
  image: 'web:1',
  envFrom: ['app', 'more'].map((name) => ({ configMapRef: { name } })),
};
const policy = (spec: Json = {}) => setPolicy(plane, { configRollout: true, ...spec });
const start = async () => {
  const set = await plane.api.ok('POST', SETS, daemonSet('web', { pod: { containers: [container] } }));
  uid = set.metadata.uid;
  await untilRolledOut(plane, 'web', 4);
  await untilQuiet(fleet);
};
const setMap = (name: string, value: string) =>
  plane.api.ok('PATCH', `${MAPS}/${name}`, { data: { [name]: value } }, { type: MERGE });
const births = () => fleet.nodes.map((node) => node.births(uid));
const configs = () => fleet.nodes.map((node) => node.configOf(uid));
const all = (config: Json) => Array(4).fill(config);
const untilAllHave = (config: Json) =>
  until(
    `all nodes have ${JSON.stringify(config)}`,
    () => JSON.stringify(configs()) === JSON.stringify(all(config)),
  );
const revisions = async (): Promise<Json[]> =>
  (await plane.api.ok('GET', REVISIONS)).items.sort((a: Json, b: Json) => a.revision - b.revision);
const newest = async (): Promise<Json> => (await revisions()).at(-1);
/** As kubectl does it: the template of the revision before the newest replaces the one that is there. */
const undo = async () => {
  const before = (await revisions()).at(-2);
  await plane.api.ok('PATCH', `${SETS}/web`, before.data, { type: STRATEGIC });
  return before.metadata.name as string;
};
const pinOf = (template: Json) => template.metadata?.annotations?.['fleetset.dev/config'];

describe('a change of a ConfigMap', () => {
  it('goes from node to node, and history says what changed', async () => {
    await policy();
    await start();
    const guard = fleet.guard({ metadata: { uid } });
    await setMap('app', 'two');
    await untilAllHave({ app: 'two', more: 'one' });
    await untilPhase(plane, 'Complete');
    expect(births()).toEqual(all(2));
    expect(guard.worst()).toBe(1);
    expect((await newest()).metadata.annotations?.[CAUSE]).toBe('configmap/app changed');
    // The DaemonSet itself is as it was written.
    const set = await plane.api.ok('GET', `${SETS}/web`);
    expect([set.metadata.generation, pinOf(set.spec.template)]).toEqual([1, undefined]);
    guard.end();
  });

  it('of several at once is one revision', async () => {
    await policy();
    await start();
    // They come within the second that a change is waited for, however long they take.
    clock.hold();
    await setMap('app', 'two');
    await setMap('more', 'two');
    await setImage(plane, 'web:2');
    // Until it is in effect, nobody is told that it is.
    expect((await plane.api.ok('GET', `${SETS}/web`)).status.observedGeneration).toBe(1);
    clock.run();
    await untilRolledOut(plane, 'web', 4);
    await untilAllHave({ app: 'two', more: 'two' });
    expect(births()).toEqual(all(2));
    expect(await revisions()).toHaveLength(2);
  });

  it('that is bad goes back by itself, and the old config with it; a good one follows', async () => {
    await policy({ progressDeadlineSeconds: 1 });
    await start();
    const guard = fleet.guard({ metadata: { uid } });
    const { newestRevision: stable } = await rolloutOf(plane);
    await setMap('app', 'broken');
    const status = await untilPhase(plane, 'RolledBack');
    expect(status.targetRevision).toBe(stable);
    await untilAllHave({ app: 'one', more: 'one' });
    expect(guard.worst()).toBe(1);
    expect((await newest()).metadata.annotations?.[CAUSE]).toMatch(
      /^configmap\/app changed \[failed, back to /,
    );
    // Another life of the plane, and nothing moves.
    const before = births();
    await plane.restart();
    await until('all are heard', () => fleet.nodes.every(({ name }) => plane.hasHeard(name)));
    await untilQuiet(fleet);
    expect(births()).toEqual(before);
    // A good one has all the time that a loaded machine takes.
    const patient = { spec: { progressDeadlineSeconds: 600 } };
    await plane.api.ok('PATCH', `${POLICIES}/careful`, patient, { type: MERGE });
    await setMap('app', 'two');
    await untilAllHave({ app: 'two', more: 'one' });
    await untilPhase(plane, 'Complete');
    guard.end();
  });

  it('that is taken back is the revision of before', async () => {
    await policy();
    await start();
    const first = (await newest()).metadata.name;
    await setMap('app', 'two');
    await untilAllHave({ app: 'two', more: 'one' });
    await setMap('app', 'one');
    await untilAllHave({ app: 'one', more: 'one' });
    expect((await newest()).metadata.name).toBe(first);
    expect(await revisions()).toHaveLength(2);
  });
});

describe('kubectl rollout undo', () => {
  it('brings the config of before back, until the config changes again; and can be done again', async () => {
    await policy();
    await start();
    await setMap('app', 'two');
    await untilAllHave({ app: 'two', more: 'one' });
    const first = await undo();
    await untilAllHave({ app: 'one', more: 'one' });
    expect((await newest()).metadata.name).toBe(first);
    await untilQuiet(fleet);
    await setMap('more', 'two');
    await untilAllHave({ app: 'two', more: 'two' });
    const set = await plane.api.ok('GET', `${SETS}/web`);
    expect(pinOf(set.spec.template)).toBeUndefined();
    await undo();
    await untilAllHave({ app: 'one', more: 'one' });
    await plane.restart();
    await until('all are heard', () => fleet.nodes.every(({ name }) => plane.hasHeard(name)));
    await untilQuiet(fleet);
    expect(configs()).toEqual(all({ app: 'one', more: 'one' }));
  });
});

describe('switching it on and off', () => {
  it('restarts nothing, either way and again', async () => {
    await start();
    const once = births();
    await policy();
    await until('the revision holds its config', async () => pinOf((await newest()).data.spec.template));
    await untilQuiet(fleet);
    await plane.api.ok('DELETE', `${POLICIES}/careful`);
    await until('it does so no more', async () => !pinOf((await newest()).data.spec.template));
    await setMap('app', 'two');
    await untilQuiet(fleet);
    await policy();
    await until('the revision holds its config', async () => pinOf((await newest()).data.spec.template));
    await untilQuiet(fleet);
    expect(births()).toEqual(once);
    expect(await revisions()).toHaveLength(1);
    await setMap('app', 'three');
    await untilAllHave({ app: 'three', more: 'one' });
  });
});

it('what no revision names any more is not kept', async () => {
  await policy();
  await plane.api
    .ok(
      'POST',
      SETS,
      daemonSet('web', { pod: { containers: [container] }, spec: { revisionHistoryLimit: 1 } }),
    )
    .then(({ metadata }) => {
      uid = metadata.uid;
    });
  await untilRolledOut(plane, 'web', 4);
  for (const value of ['two', 'three', 'four']) {
    await setMap('app', value);
    await untilAllHave({ app: value, more: 'one' });
    await untilPhase(plane, 'Complete');
  }
  await until('one old revision is left', async () => (await revisions()).length === 2);
  await plane.stop();
  const db = new DatabaseSync(join(plane.dataDir, 'plane.db'), { readOnly: true });
  const rows = db.prepare("SELECT * FROM objects WHERE collection = 'fleetset/config-snapshots'").all();
  db.close();
  expect(rows).toHaveLength(2);
});
